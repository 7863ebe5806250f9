// Shows a table as a command of what 'zsfiji install' wrote does, in a plain ImageJ with windows.
// Started by test_stock.py with the folder of the Fiji and an image; prints one line of JSON.
Class.forName("net.imagej.patcher.LegacyInjector").preinit()
def shell = new GroovyShell(getClass().classLoader, new Binding(args: args))
shell.evaluate('''
import ij.*
import ij.measure.ResultsTable
import groovy.json.JsonOutput
import groovy.json.JsonSlurper

def folder = new File(args[0], "zsfiji")
def type = new GroovyClassLoader(getClass().classLoader).parseClass(new File(folder, "ZeroShot.groovy"))
new ImageJ()
IJ.getInstance().exitWhenQuitting(false)
def imp = IJ.openImage(args[1])
imp.show()
// As it comes from Python.
def listed = new JsonSlurper().parseText(new File(folder, "listed.json").text)
type.newInstance(folder, null).table(listed, imp)
def shown = ResultsTable.getResultsTable(listed.title)
def window = WindowManager.getWindow(listed.title)
println("STEP " + JsonOutput.toJson([step: "table", columns: shown.headings as List,
    rows: (0..<shown.size()).collect { shown.getRowAsString(it).split("\\\\t") as List },
    width: window.width, beside: !window.bounds.intersects(imp.window.bounds)]))
''')
System.exit(0)
