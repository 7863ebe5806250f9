// Quits a plain ImageJ with windows in the middle of a job of what 'zsfiji install' wrote. Started
// by test_stock.py with the folder of the Fiji and an image; prints one line of JSON for each step.
Class.forName("net.imagej.patcher.LegacyInjector").preinit()
def shell = new GroovyShell(getClass().classLoader, new Binding(args: args))
shell.evaluate('''
import ij.*
import ij.gui.GenericDialog
import java.awt.*
import java.awt.event.KeyEvent
import groovy.json.JsonOutput

def folder = new File(args[0], "zsfiji")
def type = new GroovyClassLoader(getClass().classLoader).parseClass(new File(folder, "ZeroShot.groovy"))
def label = "Zero-Shot Denoise..."
def say = { step, values -> println("STEP " + JsonOutput.toJson([step: step] + values)) }
def until = { long most, condition ->
    long begun = System.currentTimeMillis()
    while (!condition()) {
        if (System.currentTimeMillis() - begun > most) throw new RuntimeException("waited in vain")
        Thread.sleep(50)
    }
    System.currentTimeMillis() - begun
}
def question = { Window.windows.find { it instanceof GenericDialog && it.showing } }
def buttons
buttons = { part -> part.components.collectMany { it instanceof Button ? [it] :
    it instanceof Container ? buttons(it) : [] } }
def robot = new Robot()
robot.autoDelay = 20

new ImageJ()
IJ.getInstance().exitWhenQuitting(false)
// Large, so that the job lasts longer than all questions, on a busy computer as well.
def imp = IJ.openImage(args[1]).resize(512, 512, "none")
imp.show()
imp.changes = false
def work = Thread.start {
    type.newInstance(folder, null).call(label, [quality: "best"], "", "", true)
}
until(60000) { (System.properties.get("zsfiji.service")?.service?.isAlive()) }
def python = System.properties.get("zsfiji.service").service
Thread.sleep(3000)
for (key in [KeyEvent.VK_ENTER, KeyEvent.VK_ESCAPE]) {
    IJ.doCommand("Quit")
    until(10000) { question() != null }
    Thread.sleep(700)
    def labels = buttons(question()).collect { it.label.trim() }
    robot.keyPress(key)
    robot.keyRelease(key)
    until(10000) { question() == null }
    Thread.sleep(700)
    say("key ${key}", [labels: labels, job: work.alive, open: IJ.getInstance() != null])
}
IJ.doCommand("Quit")
until(10000) { question() != null }
Thread.sleep(500)
def button = buttons(question()).find { it.label.trim() == "Quit" }
long begun = System.currentTimeMillis()
button.dispatchEvent(new java.awt.event.ActionEvent(button, java.awt.event.ActionEvent.ACTION_PERFORMED, "Quit"))
until(30000) { IJ.getInstance() == null }
say("quit", [seconds: (System.currentTimeMillis() - begun) / 1000, job: work.alive])
''')
System.exit(0)
