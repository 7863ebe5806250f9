// What the Zero-Shot menu entries of a stock Fiji share. Written by 'zsfiji install'.
//
// Each job goes to a Python process, started at the first one by Appose and kept as long as Fiji
// runs. The image goes there as one of ImageJ's own TIFF files, and so comes back the result.

import groovy.json.JsonSlurper
import ij.IJ
import ij.ImagePlus
import ij.Macro
import ij.WindowManager
import ij.gui.GUI
import ij.gui.ImageRoi
import ij.gui.TextRoi
import ij.io.FileSaver
import ij.io.Opener
import ij.macro.Interpreter
import ij.plugin.frame.Recorder
import java.awt.BorderLayout
import java.awt.Dimension
import java.awt.EventQueue
import java.awt.FlowLayout
import java.awt.Frame
import java.awt.GraphicsEnvironment
import java.nio.file.Files
import javax.swing.BorderFactory
import javax.swing.JButton
import javax.swing.JComponent
import javax.swing.JFrame
import javax.swing.JLabel
import javax.swing.JPanel
import javax.swing.JProgressBar
import javax.swing.KeyStroke

class ZeroShot {
    static final String SERVICE = "zsfiji.service"
    static final String IN_PROCESS = "zsfiji.bridge"
    static final long PATIENCE = 20000
    static final int STEPS = 1000
    static final List MAIN = ["net.imagej.Main", "sc.fiji.Main"]
    // A job that ends sooner needs no window.
    static final long WINDOW_AFTER = 1500

    final File folder
    final Object context
    /** The thread of the macro or script that has called an entry; SciJava runs us in another. */
    private Thread caller

    /** @param context SciJava's context, null in a plain ImageJ */
    ZeroShot(File folder, Object context) {
        this.folder = folder
        this.context = context
    }

    /** What a menu entry does: obey the macro that calls it, or open the dialog. */
    void entry(String label, String script) {
        String options = Macro.getOptions()
        def threads = context?.getService("org.scijava.thread.ThreadService")
        caller = Thread.currentThread()
        while (caller != null && !Macro.table.containsKey(caller)) caller = threads?.getParent(caller)
        guarded(label, options != null) {
            if (inProcess()) {
                Recorder.setCommand(null)
                if (options == null) IJ.doCommand(label) else IJ.run(label, options)
            } else if (options != null || withoutWindows()) {
                runOnWindow(label, options ?: "")
            } else {
                image()
                dialog(script)
            }
        }
    }

    /** What a script with parameters does: work on a file, or on the active image. */
    void call(String label, Map options, String input, String output) {
        Map given = options.findAll { key, value -> value != null && value.toString() != "" }
            .collectEntries { key, value -> [key, value instanceof File ? value.path : value] }
        guarded(label, false) {
            if (!input && output) throw new Problem("Name the input file as well as the output.")
            if (input) {
                if (!output) throw new Problem("Name the output file: output=\"result.tif\".")
                def answer = job(label, [options: given, source: absolute(input),
                    target: absolute(output), title: null, roi: null, exchange: null])
                answer.images.each { IJ.log("${it.path}") }
            } else {
                record(given)
                runOnWindow(label, given)
            }
        }
    }

    // --- the image ------------------------------------------------------------------------------

    private void runOnWindow(String label, Object options) {
        ImagePlus imp = image()
        File place = Files.createTempDirectory("zsfiji").toFile()
        // When Fiji ends before its job, Python removes the folder; before Python knows of it, Java.
        place.deleteOnExit()
        try {
            def roi = imp.getRoi()
            def area = roi != null && roi.isArea() && !(roi instanceof TextRoi) &&
                !(roi instanceof ImageRoi) && roi.bounds.width > 0 && roi.bounds.height > 0
            def box = area ? roi.bounds.with { [it.x, it.y, it.width, it.height] } : null
            File source = save(imp, place)
            def answer = job(label, [options: options, source: source.path, target: place.path,
                title: imp.getTitle(), roi: box, exchange: place.path])
            // First, so that the Log window does not cover the result.
            answer.notes.each { IJ.log("${imp.getTitle()}: ${it}") }
            answer.images.each { show(it, imp) }
        } finally {
            place.deleteDir()
        }
    }

    private ImagePlus image() {
        // Of a macro in batch mode and of IJ.run(imp, ...) only their own thread knows the image.
        ImagePlus imp = caller == null ? null : WindowManager.tempImageTable.get(caller)
        if (imp == null) imp = WindowManager.getCurrentImage()
        if (imp == null) throw new Problem("There are no images open. Open the image that you " +
            "want to restore first.")
        return imp
    }

    private File save(ImagePlus imp, File place) {
        if (!imp.lockSilently()) throw new Problem("The image \"${imp.getTitle()}\" is locked: " +
            "another command is working on it. Wait until that has finished.")
        boolean changes = imp.changes
        File file = new File(place, "input.tif")
        file.deleteOnExit()
        try {
            boolean written
            try {
                written = new FileSaver(imp).saveAsTiff(file.path)
            } catch (ClassCastException e) {
                // A virtual stack of a kind that ImageJ itself does not know.
                written = new FileSaver(imp.duplicate()).saveAsTiff(file.path)
            }
            if (!written) throw new Problem("The image could not be written to ${place}. Make " +
                "room there, or start Fiji with another java.io.tmpdir.")
        } finally {
            imp.changes = changes
            imp.unlock()
        }
        return file
    }

    private void show(Map result, ImagePlus source) {
        File file = new File(result.path)
        ImagePlus imp = new Opener().openTiff(file.parent + File.separator, file.name)
        if (imp == null) throw new Problem("The result could not be read. Is the disk full?")
        imp.setFileInfo(null)
        // Only a title that is taken gets a number.
        imp.setTitle(WindowManager.getImage(result.title) == null ? result.title :
            WindowManager.getUniqueName(result.title))
        imp.changes = true
        // A line that is finished before the window opens stands before it in the Recorder.
        if (Recorder.getCommand() != null) Recorder.saveCommand()
        imp.setPosition(source.getC(), source.getZ(), source.getT())
        imp.show()
        if (caller != null) WindowManager.setTempCurrentImage(caller, imp)
    }

    // --- the dialog and the Recorder ------------------------------------------------------------

    private void dialog(String script) {
        def modules = context.getService("org.scijava.module.ModuleService")
        def type = context.getClass().classLoader.loadClass("org.scijava.script.ScriptInfo")
        def info = type.getConstructor(context.getClass(), File)
            .newInstance(context, new File(folder, script))
        // The menu entry is what is recorded.
        info.set("no-record", "true")
        // Only a dialog remembers the values of the last time, never a run without one.
        info.inputs().each { if (it.persistKey) it.persisted = true }
        modules.run(info, true, [input: "", output: ""] as Map<String, Object>).get()
    }

    private void record(Map options) {
        if (!IJ.recording() || Recorder.getCommand() == null) return
        options.each { key, value ->
            Recorder.recordOption(key, value.toString().replace(File.separator, "/"))
        }
    }

    // --- the Python process ---------------------------------------------------------------------

    private Map job(String label, Map inputs) {
        def service = service()
        def task = service.task("from zsfiji import worker\n" +
            "worker.work(task, label, options, source, target, title, roi, exchange)",
            inputs + [label: label])
        def latest = null
        task.listen { event -> if (event.message != null) latest = event }
        def shown = context?.getService("org.scijava.task.TaskService")?.createTask(name(label))
        shown?.start()
        shown?.setProgressMaximum(STEPS)
        IJ.resetEscape()
        IJ.showStatus("${name(label)}: starting Python")
        boolean windows = IJ.getInstance() != null && !withoutWindows() && !Interpreter.isBatchMode()
        Window window = null
        long begun = System.currentTimeMillis()
        long asked = 0
        String how = "failed"
        try {
            task.start()
            while (!task.status.isFinished()) {
                Thread.sleep(100)
                long now = System.currentTimeMillis()
                if (window == null && windows && now - begun > WINDOW_AFTER) {
                    window = new Window("${name(label)}: ${inputs.title}", inputs.exchange)
                }
                def event = latest
                if (event != null) {
                    shown?.setStatusMessage(event.message)
                    shown?.setProgressValue(event.current)
                    IJ.showStatus("${name(label)}: ${event.message} (Esc cancels)")
                    IJ.showProgress(Math.min(0.999d, event.current / (double) STEPS))
                    window?.show(event.message, event.current as int)
                }
                boolean stop = window?.cancelled || shown?.isCanceled() || IJ.escapePressed()
                if (asked == 0 && stop) {
                    asked = now
                    task.cancel()
                }
                // A worker that does not hear must not hold the user up.
                if (asked > 0 && now - asked > PATIENCE) service.kill()
            }
            if (asked > 0 || task.outputs.cancelled) {
                how = "cancelled"
                throw new Stopped()
            }
            if (task.status.toString() == "CRASHED") throw crashed(service)
            if (task.error != null) throw new Fault(task.error)
            if (task.outputs.problem != null) throw new Problem(task.outputs.problem)
            how = window?.finished ? "finished early" : "done"
            return [images: task.outputs.images, notes: task.outputs.notes]
        } finally {
            shown?.finish()
            window?.close()
            IJ.showProgress(1.0)
            def seconds = (System.currentTimeMillis() - begun) / 1000d
            IJ.showStatus(String.format("%s: %s, %.1f s", name(label), how, seconds))
        }
    }

    private Object service() {
        Map settings = new JsonSlurper().parse(new File(folder, "settings.json"), "UTF-8")
        String python = settings.python
        synchronized (ZeroShot.SERVICE) {
            def kept = System.properties.get(SERVICE)
            if (kept != null && kept.python == python && kept.service.isAlive()) return kept.service
            if (!new File(python).canExecute()) throw new Problem("The Python of zsfiji, " +
                "${python}, is not there any more. Run 'zsfiji install' with this Fiji's folder " +
                "again, from the environment where zsfiji is now.")
            def type
            try {
                type = getClass().classLoader.loadClass("org.apposed.appose.Service")
            } catch (ClassNotFoundException e) {
                throw new Problem("This Fiji lacks Appose, which runs Python for it. Update it " +
                    "(Help > Update...), or open it from Python: zsfiji --fiji \"${folder.parent}\"")
            }
            // -E: the variables of a launcher must not lead Python to other packages.
            String[] words = [python, "-E", "-X", "utf8", "-m", "zsfiji.worker"]
            def service = type.getConstructor(File, String[]).newInstance(folder, words)
            try {
                service.start()
            } catch (IOException e) {
                throw new Problem("The Python of zsfiji could not be started (${e.message}). Run " +
                    "'zsfiji install' with this Fiji's folder again.")
            }
            System.properties.put(SERVICE, [python: python, service: service])
            return service
        }
    }

    private Exception crashed(Object service) {
        def said = service.metaClass.respondsTo(service, "errorLines") ? service.errorLines() : []
        String end = said.findAll { it.trim() }.takeRight(3).join("\n")
        if (end.contains("No module named")) return new Problem("The Python environment of " +
            "zsfiji is not complete (${end.readLines().last()}). Repair it with 'pip install " +
            "--upgrade zsfiji', then run 'zsfiji install' again.")
        return new Problem("The Python process of zsfiji has ended in the middle of the job" +
            (end ? ":\n" + end : ", perhaps for lack of memory.") +
            "\nFiji is not harmed; the next job starts a new one.")
    }

    // --- a Fiji that has Python in its own process ----------------------------------------------

    /** Whether zsfiji answers commands in this process; it is asked to where Python runs in it. */
    private boolean inProcess() {
        if (System.getProperty(IN_PROCESS) != null) return true
        def objects = context?.getService("org.scijava.object.ObjectService")
        def runner = objects?.getObjects(java.util.function.Function)?.any {
            objects.getName(it) == "PythonScriptRunner" || it.toString() == "PythonScriptRunner"
        }
        if (!runner) return false
        def scripts = context.getService("org.scijava.script.ScriptService")
        def language = scripts.getLanguages().find { it.languageName.startsWith("Python (pyim") } ?:
            scripts.getLanguageByName("Python")
        if (language == null) return false
        try {
            def engine = language.getScriptEngine()
            context.inject(engine)
            engine.eval("from zsfiji.bridge import host, menu\nmenu.install(host.start())")
        } catch (Exception e) {
            return false
        }
        return System.getProperty(IN_PROCESS) != null
    }

    // --- what goes wrong ------------------------------------------------------------------------

    private void guarded(String label, boolean called, Closure body) {
        try {
            body()
            return
        } catch (Stopped e) {
            if (!withoutWindows()) IJ.beep()
        } catch (Problem e) {
            tell(name(label), e.message)
        } catch (Fault e) {
            IJ.log(e.message)
            tell(name(label), "A fault in zsfiji; the Log window has the details. Please report it.")
        }
        Recorder.setCommand(null)
        // A Fiji that only runs this has failed; else it would go on and end as if all were well.
        if (withoutWindows() && isProgram()) System.exit(2)
        if (called) stopCaller()
    }

    /** Whether this Fiji was started to run something and end, and not by somebody's program. */
    private boolean isProgram() {
        Thread.allStackTraces.values().any { stack ->
            stack.any { it.methodName == "main" && it.className in MAIN }
        }
    }

    /** End the macro or script that has called us, from the thread in which SciJava runs ours. */
    private void stopCaller() {
        Interpreter macro = Interpreter.getInstance()
        if (macro != null) {
            // Quietly, for the user knows already. Its abortMacro() would wait for the macro, which
            // waits for us, and then stop threads, which Java 20 and later refuse.
            macro.setIgnoreErrors(true)
            macro.abort("stopped by a Zero-Shot command")
        }
        try {
            // Makes IJ.run throw in a script.
            Macro.abort()
        } catch (RuntimeException e) {
            // It does so here, where the script itself has this thread.
            if (e.message != Macro.MACRO_CANCELED) throw e
        }
    }

    /** Whether nobody looks: with --headless SciJava shows nothing, also where there is a display. */
    private boolean withoutWindows() {
        GraphicsEnvironment.isHeadless() ||
            context?.getService("org.scijava.ui.UIService")?.isHeadless()
    }

    private void tell(String title, String text) {
        if (withoutWindows()) System.err.println("${title}: ${text}")
        // Not IJ.error, whose dialog a macro answers itself, unseen.
        else IJ.showMessage(title, wrapped(text))
    }

    private String wrapped(String text) {
        def line = 0
        return text.split(" ").collect { word ->
            line += word.length() + 1
            if (word.contains("\n")) line = word.length() - word.lastIndexOf("\n")
            if (line > 75) { line = word.length(); "\n" + word } else " " + word
        }.join("").trim()
    }

    private String name(String label) { label.replaceAll(/\.+$/, "") }

    private String absolute(String path) { new File(path).absolutePath }

    /** The small window of a running job. Closing it hides it: the job goes on. */
    static class Window {
        volatile boolean cancelled, finished
        private final JLabel text = new JLabel("Starting")
        private final JProgressBar bar = new JProgressBar(0, STEPS)
        private JFrame frame

        Window(String title, String exchange) {
            EventQueue.invokeAndWait {
                frame = new JFrame(title)
                frame.name = "zsfiji"
                // The keyboard stays with ImageJ, where Esc is looked for.
                frame.autoRequestFocus = false
                frame.defaultCloseOperation = JFrame.HIDE_ON_CLOSE
                bar.preferredSize = new Dimension(340, 18)
                def finish = new JButton("Finish now")
                finish.toolTipText = "End the training and keep the best result so far."
                def cancel = new JButton("Cancel")
                cancel.toolTipText = "Stop and keep nothing. Esc does the same."
                finish.addActionListener {
                    finished = true
                    finish.enabled = false
                    new File(exchange, "finish").createNewFile()
                }
                def stop = {
                    cancelled = true
                    finish.enabled = cancel.enabled = false
                }
                cancel.addActionListener(stop)
                frame.rootPane.registerKeyboardAction(stop, KeyStroke.getKeyStroke("ESCAPE"),
                    JComponent.WHEN_IN_FOCUSED_WINDOW)
                def row = new JPanel(new FlowLayout(FlowLayout.RIGHT, 6, 0))
                row.add(finish)
                row.add(cancel)
                def panel = new JPanel(new BorderLayout(0, 8))
                panel.border = BorderFactory.createEmptyBorder(10, 12, 10, 12)
                panel.add(text, BorderLayout.NORTH)
                panel.add(bar, BorderLayout.CENTER)
                panel.add(row, BorderLayout.SOUTH)
                frame.contentPane = panel
                frame.pack()
                // At the right edge, away from where ImageJ opens images; others below.
                int others = Frame.frames.count { it.name == "zsfiji" && it.visible }
                def screen = GUI.getMaxWindowBounds(IJ.getInstance())
                frame.setLocation((int) (screen.x + screen.width - frame.width - 24),
                    (int) (screen.y + screen.height / 4 + 150 * others))
                frame.visible = true
            }
        }

        void show(String message, int done) {
            EventQueue.invokeLater {
                text.text = cancelled ? "Cancelling" : finished ?
                    "Finishing with the best so far" : message
                bar.value = done
            }
        }

        void close() { EventQueue.invokeLater { frame.dispose() } }
    }

    /** What the user can mend. */
    static class Problem extends RuntimeException {
        Problem(String text) { super(text) }
    }

    /** A bug; the text is the traceback. */
    static class Fault extends RuntimeException {
        Fault(String text) { super(text) }
    }

    /** The user has cancelled. */
    static class Stopped extends RuntimeException {}
}
