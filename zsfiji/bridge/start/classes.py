"""The Java classes that the bridge uses, by their short names, in one place."""

from __future__ import annotations

from typing import Any

_FULL_NAMES = {
    # ImageJ
    "IJ": "ij.IJ",
    "ImageJ": "ij.ImageJ",
    "ImagePlus": "ij.ImagePlus",
    "ImageStack": "ij.ImageStack",
    "CompositeImage": "ij.CompositeImage",
    "WindowManager": "ij.WindowManager",
    "Menus": "ij.Menus",
    "Macro": "ij.Macro",
    "Prefs": "ij.Prefs",
    "Executer": "ij.Executer",
    "FileSaver": "ij.io.FileSaver",
    "RoiDecoder": "ij.io.RoiDecoder",
    "GenericDialog": "ij.gui.GenericDialog",
    "NonBlockingGenericDialog": "ij.gui.NonBlockingGenericDialog",
    "GUI": "ij.gui.GUI",
    "Plot": "ij.gui.Plot",
    "Roi": "ij.gui.Roi",
    "OvalRoi": "ij.gui.OvalRoi",
    "Line": "ij.gui.Line",
    "TextRoi": "ij.gui.TextRoi",
    "ImageRoi": "ij.gui.ImageRoi",
    "ImageWindow": "ij.gui.ImageWindow",
    "Overlay": "ij.gui.Overlay",
    "LUT": "ij.process.LUT",
    "Calibration": "ij.measure.Calibration",
    "ResultsTable": "ij.measure.ResultsTable",
    "Recorder": "ij.plugin.frame.Recorder",
    "MultiLineLabel": "ij.gui.MultiLineLabel",
    "OpenDialog": "ij.io.OpenDialog",
    "SaveDialog": "ij.io.SaveDialog",
    "Functions": "ij.macro.Functions",
    "MacroRunner": "ij.macro.MacroRunner",
    "Interpreter": "ij.macro.Interpreter",
    "ExtensionDescriptor": "ij.macro.ExtensionDescriptor",
    "MacroExtension": "ij.macro.MacroExtension",
    "ThreadUtil": "ij.util.ThreadUtil",
    # ImgLib2
    "PlanarImg": "net.imglib2.img.planar.PlanarImg",
    "ByteArray": "net.imglib2.img.basictypeaccess.array.ByteArray",
    "ShortArray": "net.imglib2.img.basictypeaccess.array.ShortArray",
    "IntArray": "net.imglib2.img.basictypeaccess.array.IntArray",
    "FloatArray": "net.imglib2.img.basictypeaccess.array.FloatArray",
    "UnsignedByteType": "net.imglib2.type.numeric.integer.UnsignedByteType",
    "UnsignedShortType": "net.imglib2.type.numeric.integer.UnsignedShortType",
    "FloatType": "net.imglib2.type.numeric.real.FloatType",
    "ARGBType": "net.imglib2.type.numeric.ARGBType",
    "Fraction": "net.imglib2.util.Fraction",
    # ij1-patcher
    "LegacyInjector": "net.imagej.patcher.LegacyInjector",
    # Fiji
    "LegacyCommandInfo": "net.imagej.legacy.command.LegacyCommandInfo",
    "MenuPath": "org.scijava.MenuPath",
    "TaskService": "org.scijava.task.TaskService",
    "Dataset": "net.imagej.Dataset",
    "ImgPlus": "net.imagej.ImgPlus",
    "Axes": "net.imagej.axis.Axes",
    "CalibratedAxis": "net.imagej.axis.CalibratedAxis",
    "DefaultLinearAxis": "net.imagej.axis.DefaultLinearAxis",
    "ColorTable8": "net.imglib2.display.ColorTable8",
    # Java
    "GraphicsEnvironment": "java.awt.GraphicsEnvironment",
    "System": "java.lang.System",
    "Thread": "java.lang.Thread",
    "JavaRuntime": "java.lang.Runtime",
    "OutOfMemoryError": "java.lang.OutOfMemoryError",
    "Runnable": "java.lang.Runnable",
    "RuntimeException": "java.lang.RuntimeException",
    "ArrayList": "java.util.ArrayList",
    "ByteOrder": "java.nio.ByteOrder",
    "BorderLayout": "java.awt.BorderLayout",
    "Color": "java.awt.Color",
    "Dimension": "java.awt.Dimension",
    "EventHandler": "java.beans.EventHandler",
    "EventQueue": "java.awt.EventQueue",
    "FlowLayout": "java.awt.FlowLayout",
    "Font": "java.awt.Font",
    "ItemEvent": "java.awt.event.ItemEvent",
    "Label": "java.awt.Label",
    "Panel": "java.awt.Panel",
    "Button": "java.awt.Button",
    "Dialog": "java.awt.Dialog",
    "ModalExclusionType": "java.awt.Dialog$ModalExclusionType",
    "Toolkit": "java.awt.Toolkit",
    "Window": "java.awt.Window",
    "WindowEvent": "java.awt.event.WindowEvent",
    "RenderingHints": "java.awt.RenderingHints",
    "BufferedImage": "java.awt.image.BufferedImage",
    "BorderFactory": "javax.swing.BorderFactory",
    "ImageIcon": "javax.swing.ImageIcon",
    "JButton": "javax.swing.JButton",
    "JComponent": "javax.swing.JComponent",
    "JDialog": "javax.swing.JDialog",
    "JEditorPane": "javax.swing.JEditorPane",
    "JFrame": "javax.swing.JFrame",
    "JLabel": "javax.swing.JLabel",
    "JPanel": "javax.swing.JPanel",
    "JProgressBar": "javax.swing.JProgressBar",
    "JScrollPane": "javax.swing.JScrollPane",
    "HTMLEditorKit": "javax.swing.text.html.HTMLEditorKit",
    "KeyStroke": "javax.swing.KeyStroke",
    "Timer": "javax.swing.Timer",
}


class Classes:
    """Java classes as attributes, looked up when first used; the JVM must be running by then."""

    def __getattr__(self, name: str) -> Any:
        if name not in _FULL_NAMES:
            raise AttributeError(f"{name} is not in the table of Java classes")
        from jpype import JClass

        found = JClass(_FULL_NAMES[name])
        setattr(self, name, found)
        return found


jc = Classes()
"""The one table."""
