// Calls what 'zsfiji install' wrote, in a plain ImageJ with Groovy and Appose. Started by
// test_stock.py with the folder of the Fiji and an image; prints one line of JSON for each step.
import groovy.json.JsonOutput

// Before any class of ImageJ is loaded: makes it work without a display.
Class.forName("net.imagej.patcher.LegacyInjector").preinit()
def shell = new GroovyShell(getClass().classLoader, new Binding(args: args))
shell.evaluate('''
import ij.*
import ij.macro.Interpreter
import groovy.json.JsonOutput

IJ.getVersion()
Interpreter.batchMode = true
def folder = new File(args[0], "zsfiji")
def type = new GroovyClassLoader(getClass().classLoader).parseClass(new File(folder, "ZeroShot.groovy"))
def label = "Zero-Shot Denoise..."
def python = { System.properties.get("zsfiji.service")?.service }
def say = { step, values -> println("STEP " + JsonOutput.toJson([step: step] + values)) }
def errors = new ByteArrayOutputStream()
def standard = System.err
def told = { body ->
    errors.reset()
    System.err = new PrintStream(errors, true, "UTF-8")
    try { body() } finally { System.err = standard }
    return errors.toString("UTF-8").trim()
}
def look = {
    WindowManager.setTempCurrentImage(null)
    def now = WindowManager.getCurrentImage()
    def c = now.getCalibration()
    [title: now.getTitle(), depth: now.getBitDepth(), width: now.getWidth(), height: now.getHeight(),
     unit: c.getUnit(), pixel: c.pixelWidth, command: now.getProp("zsfiji.command"),
     green: now.getProcessor().getLut().getGreen(200), label: now.getStack().getSliceLabel(1),
     changes: now.changes]
}
def imp = IJ.openImage(args[1])
imp.changes = false

WindowManager.setTempCurrentImage(imp)
say("about", [told: told { type.newInstance(folder, null).tellAbout("About zsfiji...") },
    described: type.newInstance(folder, null).described(label, true).subject])

WindowManager.setTempCurrentImage(null)
say("no image", [told: told { type.newInstance(folder, null).call(label, [:], "", "", true) }])

imp.setRoi(4, 6, 40, 48)
WindowManager.setTempCurrentImage(imp)
def text = told { type.newInstance(folder, null).call(label, [quality: "quick", seed: 2], "", "", true) }
say("region", look() + [told: text, source: [changes: imp.changes, locked: imp.isLocked()]])
def first = python()

WindowManager.setTempCurrentImage(imp)
text = told { type.newInstance(folder, null).call(label, [quality: "quik"], "", "", true) }
say("mistake", [told: text, same: python().is(first)])

imp.deleteRoi()
WindowManager.setTempCurrentImage(imp)
def killer = Thread.start {
    while (!IJ.getInstance() && python() == null) Thread.sleep(50)
    Thread.sleep(1500)
    python().kill()
}
text = told { type.newInstance(folder, null).call(label, [quality: "best"], "", "", true) }
killer.join()
say("killed", [told: text, alive: first.isAlive(), active: WindowManager.getCurrentImage().getTitle()])

// Large enough to be at work when the key comes.
def large = imp.resize(1024, 1024, "bilinear")
large.setTitle(imp.getTitle())
WindowManager.setTempCurrentImage(large)
killer = Thread.start { Thread.sleep(100); while (python().is(first)) Thread.sleep(50)
    Thread.sleep(8000); IJ.setKeyDown(java.awt.event.KeyEvent.VK_ESCAPE) }
text = told { type.newInstance(folder, null).call(label, [quality: "best"], "", "", true) }
killer.join()
say("cancelled", [told: text, fresh: !python().is(first), active: WindowManager.getCurrentImage().getTitle()])
IJ.setKeyUp(java.awt.event.KeyEvent.VK_ESCAPE)

text = told { type.newInstance(folder, null).call(label, [quality: "quick"], args[1], args[2], true) }
say("file", [told: text, written: new File(args[2]).length()])

WindowManager.setTempCurrentImage(null)
text = told { type.newInstance(folder, null).call("PSF Generator...", [na: 0.4, pixel_size: 250], "", "", false) }
say("made", look() + [told: text])
def psf = WindowManager.getCurrentImage()
WindowManager.setTempCurrentImage(imp)
imp.getCalibration().setUnit("micron")
text = told { type.newInstance(folder, null).call("Zero-Shot Deconvolve...",
    [psf: psf.getTitle(), steps: 5], "", "", true) }
say("two images", look() + [told: text, all: WindowManager.getIDList().collect { WindowManager.getImage(it).getTitle() }])
imp.getCalibration().setUnit("nm")

def settings = new File(folder, "settings.json")
def good = new groovy.json.JsonSlurper().parse(settings)
System.properties.remove("zsfiji.service")
settings.text = JsonOutput.toJson(good + [scripts: "of another version"])
text = told { type.newInstance(folder, null).call(label, [:], "", "", true) }
say("other version", [told: text])
settings.text = JsonOutput.toJson([python: "/nowhere/bin/python"])
text = told { type.newInstance(folder, null).call(label, [:], "", "", true) }
say("moved", [told: text])
''')
System.exit(0)
