// What the Zero-Shot menu entries of a stock Fiji share. Written by 'zsfiji install'.
//
// Each job goes to a Python process, started at the first one by Appose and kept as long as Fiji
// runs. The image goes there as one of ImageJ's own TIFF files, and so comes back the result.

import groovy.json.JsonSlurper
import ij.CommandListener
import ij.Executer
import ij.IJ
import ij.ImagePlus
import ij.Macro
import ij.WindowManager
import ij.gui.GUI
import ij.gui.GenericDialog
import ij.gui.HTMLDialog
import ij.gui.ImageRoi
import ij.gui.ImageWindow
import ij.gui.Plot
import ij.gui.TextRoi
import ij.io.FileSaver
import ij.io.Opener
import ij.macro.Interpreter
import ij.measure.ResultsTable
import ij.plugin.frame.Recorder
import java.awt.BorderLayout
import java.awt.Dimension
import java.awt.EventQueue
import java.awt.FlowLayout
import java.awt.Frame
import java.awt.GraphicsEnvironment
import java.awt.Rectangle
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
    static final String JOBS = "zsfiji.jobs"
    static final String ASKING = "zsfiji.asking"
    static final String WINDOWS = "zsfiji.windows"
    /** Milliseconds that a cancelled job may go on: the longest step of a training, and some. */
    static final long PATIENCE = 20000
    /** The same while Fiji quits, where somebody waits. */
    static final long QUIT_PATIENCE = 3000
    /** Milliseconds that the flag of Esc has to stay set. */
    static final long ESCAPE_STAYS = 100
    /** Of the progress bar, as in worker.py. */
    static final int STEPS = 1000
    /** The classes that start Fiji as a program. */
    static final List MAIN = ["net.imagej.Main", "sc.fiji.Main"]
    /** Milliseconds after which a job gets a window; one that ends sooner would make it flash. */
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

    /**
     * What a menu entry does: obey the macro that calls it, or open the dialog.
     *
     * @param takesImage whether the command works on the active image
     */
    void entry(String label, String script, boolean takesImage) {
        String options = Macro.getOptions()
        def threads = context?.getService("org.scijava.thread.ThreadService")
        caller = Thread.currentThread()
        while (caller != null && !Macro.table.containsKey(caller)) caller = threads?.getParent(caller)
        guarded(label, options != null) {
            if (inProcess()) {
                Recorder.setCommand(null)
                if (options == null) IJ.doCommand(label) else IJ.run(label, options)
            } else if (options != null || withoutWindows()) {
                runOnWindow(label, options ?: "", takesImage)
            } else {
                dialog(label, script, takesImage)
            }
        }
    }

    /** What an entry does that tells something: show the help, an examination, or the version. */
    void tellAbout(String label) {
        guarded(label, false) {
            if (inProcess()) {
                IJ.doCommand(label)
            } else if (label.contains("Help")) {
                page(label, new File(folder, "help.html").getText("UTF-8"))
            } else if (label.contains("Doctor")) {
                IJ.showStatus("${name(label)}: looking at what works here")
                def text = ask("worker.doctor(fiji)", [fiji: folder.parent]).text
                IJ.showStatus("")
                page(label, "<html><pre>${escaped(text)}</pre></html>")
            } else {
                tell(name(label), "${installed().about}\n${IJ.getFullVersion()}")
            }
        }
    }

    private void page(String label, String html) {
        if (withoutWindows()) {
            IJ.log(html.replaceAll("<[^>]+>", " "))
            return
        }
        def shown = new HTMLDialog(name(label), html, false)
        // Room for the vertical scroll bar: without it there is a horizontal one, too.
        shown.setSize(shown.width + 24, shown.height)
    }

    private String escaped(String text) {
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    }

    /** What a script with parameters does: work on a file, or on the active image. */
    void call(String label, Map options, String input, String output, boolean takesImage) {
        Map given = options.findAll { key, value -> value != null && value.toString() != "" }
            .collectEntries { key, value -> [key, value instanceof File ? value.path : value] }
        guarded(label, false) {
            if (input || output) {
                def answer = job(label, [options: given, source: input ? absolute(input) : null,
                    target: output ? absolute(output) : null, title: null, roi: null,
                    exchange: null, named: [:]])
                answer.images.each { IJ.log("${it.path}") }
                answer.notes.each { IJ.log("${it}") }
            } else {
                record(given)
                runOnWindow(label, given, takesImage)
            }
        }
    }

    // --- the image ------------------------------------------------------------------------------

    private void runOnWindow(String label, Object options, boolean takesImage) {
        ImagePlus imp = takesImage ? image() : null
        File place = Files.createTempDirectory("zsfiji").toFile()
        // When Fiji ends before its job, Python removes the folder; before Python knows of it, Java.
        place.deleteOnExit()
        try {
            def roi = imp?.getRoi()
            def area = roi != null && roi.isArea() && !(roi instanceof TextRoi) &&
                !(roi instanceof ImageRoi) && roi.bounds.width > 0 && roi.bounds.height > 0
            def box = area ? numbers(roi.bounds) : null
            File source = imp == null ? null : save(imp, place, "input")
            def answer = job(label, [options: options, source: source?.path, target: place.path,
                title: imp?.getTitle(), roi: box, exchange: place.path,
                named: named(label, options, place)])
            // First, so that the Log window does not cover the result.
            answer.notes.each { IJ.log("${imp?.getTitle() ?: name(label)}: ${it}") }
            answer.tables.each { table(it, imp) }
            answer.plots.each { plot(it, imp) }
            answer.images.each { show(it, imp) }
            // A macro goes on with its image, and not with a plot, which it has only here.
            def shown = answer.plots || answer.tables
            if (caller != null && imp != null && !answer.images && shown) activate(imp)
        } finally {
            place.deleteDir()
        }
    }

    private ImagePlus image() {
        // Of a macro in batch mode and of IJ.run(imp, ...) only their own thread knows the image.
        ImagePlus imp = caller == null ? null : WindowManager.tempImageTable.get(caller)
        if (imp == null) imp = WindowManager.getCurrentImage()
        if (imp == null) throw new Problem(phrase("no_image"))
        return imp
    }

    private List images() {
        (WindowManager.getIDList() ?: []).collect { WindowManager.getImage(it as int) }
    }

    /** What Python needs to know of an open image; see OpenImage in open_images.py. */
    private Map facts(ImagePlus imp) {
        def c = imp.getCalibration()
        def roi = imp.getRoi()
        return [title: imp.getTitle(), width: imp.getWidth(), height: imp.getHeight(),
            channels: imp.getNChannels(), slices: imp.getNSlices(), frames: imp.getNFrames(),
            rgb: imp.getBitDepth() == 24, x_unit: c.getXUnit(), z_unit: c.getZUnit(),
            pixel_width: c.pixelWidth, pixel_depth: c.pixelDepth,
            selection: roi != null && roi.isArea() ? numbers(roi.bounds) : null,
            made_by: imp.getProp("zsfiji.command"), folding: imp.getProp("zsfiji.patterns")]
    }

    private List numbers(Rectangle box) { [box.x, box.y, box.width, box.height]*.intValue() }

    private void activate(ImagePlus imp) {
        if (WindowManager.getCurrentImage() != imp && imp.getWindow() != null)
            IJ.selectWindow(imp.getID())
    }

    /** The open images that options name, title -> file. */
    private Map named(String label, Object options, File place) {
        def found = [:]
        for (title in ask("worker.names(label, options)", [label: label, options: options]).names) {
            ImagePlus imp = WindowManager.getImage(title)
            if (imp != null) found[title] = save(imp, place, "named-${found.size()}").path
        }
        return found
    }

    private File save(ImagePlus imp, File place, String stem) {
        if (!imp.lockSilently()) throw new Problem(phrase("locked", [title: imp.getTitle()]))
        boolean changes = imp.changes
        File file = new File(place, "${stem}.tif")
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
        if (source != null) imp.setPosition(source.getC(), source.getZ(), source.getT())
        else if (imp.getNSlices() > 1) imp.setPosition(1, (imp.getNSlices() + 1).intdiv(2), 1)
        imp.show()
        putBeside(source, imp.getWindow())
        if (caller != null) WindowManager.setTempCurrentImage(caller, imp)
    }

    private void plot(Map drawn, ImagePlus source) {
        if (withoutWindows() || Interpreter.isBatchMode()) return
        def plot = new Plot(drawn.title, drawn.x_label, drawn.y_label)
        drawn.curves.each { curve ->
            plot.setColor(curve.colour)
            plot.setLineWidth(curve.width as int)
            plot.add(curve.shape, curve.x as double[], curve.y as double[])
        }
        plot.setColor("black")
        plot.setLineWidth(1)
        plot.setLimitsToFit(false)
        if (drawn.legend) plot.addLegend(drawn.legend)
        putBeside(source, plot.show())
    }

    private void table(Map listed, ImagePlus source) {
        if (withoutWindows() || Interpreter.isBatchMode()) return
        def results = new ResultsTable()
        results.setPrecision(listed.digits as int)
        listed.rows.each { row ->
            results.addRow()
            [listed.columns, row].transpose().each { column, value ->
                if (value instanceof String) results.addValue(column as String, value)
                else results.addValue(column as String, value as double)
            }
        }
        results.showRowNumbers(false)
        results.show(listed.title)
        def window = WindowManager.getWindow(listed.title)
        window.setSize(listed.width as int, listed.height as int)
        putBeside(source, window)
    }

    /** Move a new window beside that of its source; see places.py. */
    private void putBeside(ImagePlus source, java.awt.Window window) {
        def old = source?.getWindow()
        if (old == null || window == null || !old.isShowing()) return
        def box = { numbers(it.bounds) }
        def others = java.awt.Window.windows.findAll {
            it.isShowing() && !it.is(old) && !it.is(window) && !it.is(window.owner)
        }
        def images = others.findAll { it instanceof ImageWindow }
        move("worker.place(size, source, screen, keep, spare)", [
            size: [window.width, window.height], source: box(old), screen: screen(),
            keep: images.collect(box), spare: (others - images).collect(box)]) { x, y -> window.setLocation(x, y) }
    }

    private List screen() { numbers(GUI.getMaxWindowBounds(IJ.getInstance())) }

    // --- the dialog and the Recorder ------------------------------------------------------------

    private void dialog(String label, String script, boolean takesImage) {
        def told = described(label, takesImage)
        def modules = context.getService("org.scijava.module.ModuleService")
        def type = context.getClass().classLoader.loadClass("org.scijava.script.ScriptInfo")
        def info = type.getConstructor(context.getClass(), File)
            .newInstance(context, new File(folder, script))
        // The menu entry is what is recorded.
        info.set("no-record", "true")
        // Only a dialog remembers the values of the last time, never a run without one.
        info.inputs().each { if (it.persistKey) it.persisted = true }
        (told.values + (takesImage ? [subject: told.subject] : [:])).each { key, value ->
            def input = info.inputs().find { it.name == key }
            input?.persisted = false
            input?.defaultValue = value
        }
        modules.run(info, true, [input: "", output: ""] as Map<String, Object>).get()
    }

    /** What the dialog says and suggests; also makes the image to process the active one. */
    private Map described(String label, boolean takesImage) {
        ImagePlus imp = takesImage ? image() : WindowManager.getCurrentImage()
        if (running() == null) IJ.showStatus("${name(label)}: starting Python")
        // One of a macro in batch mode is in no list.
        def open = images().findAll { !it.is(imp) } + (imp == null ? [] : [imp])
        def told = ask("worker.dialog(label, images, active)", [label: label,
            images: open.collect { facts(it) }, active: imp == null ? null : open.size() - 1])
        IJ.showStatus("")
        if (takesImage && told.active != null) activate(open[told.active as int])
        return told
    }

    private void record(Map options) {
        if (!IJ.recording() || Recorder.getCommand() == null) return
        options.each { key, value ->
            Recorder.recordOption(key, value.toString().replace(File.separator, "/"))
        }
    }

    // --- the Python process ---------------------------------------------------------------------

    private Map job(String label, Map inputs) {
        Map here = [name: name(label) + (inputs.title ? " of ${inputs.title}" : ""), stop: false]
        jobs().add(here)
        def guard = { String command -> quitting(command) } as CommandListener
        Executer.addCommandListener(guard)
        try {
            return work(label, inputs, here)
        } finally {
            Executer.removeCommandListener(guard)
            jobs().remove(here)
        }
    }

    private Map work(String label, Map inputs, Map here) {
        def service = service()
        def task = service.task("from zsfiji.bridge.stock import worker\n" +
            "worker.work(task, label, options, source, target, title, roi, exchange, named)",
            inputs + [label: label])
        def latest = null
        task.listen { event -> if (event.message != null) latest = event }
        def shown = context?.getService("org.scijava.task.TaskService")?.createTask(name(label))
        shown?.start()
        shown?.setProgressMaximum(STEPS)
        IJ.resetEscape()
        IJ.showStatus("${name(label)}: starting Python")
        boolean windows = IJ.getInstance() != null && !withoutWindows() && !Interpreter.isBatchMode()
        boolean opened = IJ.getInstance() != null
        Window window = null
        long begun = System.currentTimeMillis()
        long asked = 0
        long escaping = 0
        String how = "failed"
        try {
            task.start()
            while (!task.status.isFinished()) {
                Thread.sleep(100)
                long now = System.currentTimeMillis()
                if (window == null && windows && now - begun > WINDOW_AFTER) {
                    def of = inputs.title ? ": ${inputs.title}" : ""
                    window = new Window("${name(label)}${of}", inputs.exchange, installed().texts)
                    // One after the other: else two jobs would be given the same place.
                    synchronized (ZeroShot.WINDOWS) {
                        def taken = Frame.frames.findAll { it.name == "zsfiji" && it.visible }
                        move("worker.place_small(size, screen, taken)", [size: window.size,
                            screen: screen(), taken: taken.collect { numbers(it.bounds) }],
                            window.&moveTo)
                        window.open()
                    }
                }
                def event = latest
                if (event != null) {
                    shown?.setStatusMessage(event.message)
                    shown?.setProgressValue(event.current)
                    IJ.showStatus("${name(label)}: ${event.message} (Esc cancels)")
                    IJ.showProgress(Math.min(0.999d, event.current / (double) STEPS))
                    def waiting = event.hasProperty("info") && event.info?.waiting
                    window?.show(event.message, event.current as int, waiting as boolean)
                }
                // ImageJ's dialogs set the flag of Esc too, and unset it when Esc closes them.
                if (!IJ.escapePressed()) escaping = 0
                else if (escaping == 0) escaping = now
                boolean stop = window?.cancelled || shown?.isCanceled() || here.stop ||
                    escaping > 0 && now - escaping >= ESCAPE_STAYS
                if (asked == 0 && stop) {
                    asked = now
                    task.cancel()
                }
                // A worker that does not answer must not keep the user waiting.
                if (asked > 0 && now - asked > (here.stop ? QUIT_PATIENCE : PATIENCE)) service.kill()
                // Fiji has been quit in another way than its menu; this thread would keep it alive.
                if (asked > 0 || !opened || IJ.getInstance() != null) continue
                asked = now
                service.kill()
            }
            if (asked > 0 || task.outputs.cancelled) {
                how = "cancelled"
                throw new Stopped()
            }
            if (task.status.toString() == "CRASHED") throw crashed(service)
            if (task.error != null) throw new Bug(task.error)
            if (task.outputs.problem != null) throw new Problem(task.outputs.problem)
            how = window?.finished ? "finished early" : "done"
            return task.outputs
        } finally {
            shown?.finish()
            window?.close()
            IJ.showProgress(1.0)
            def seconds = (System.currentTimeMillis() - begun) / 1000d
            IJ.showStatus(String.format("%s: %s, %.1f s", name(label), how, seconds))
        }
    }

    // --- quitting in the middle of a job --------------------------------------------------------

    /** The jobs at work, whichever of Groovy's class loaders their code came from. */
    private List jobs() {
        synchronized (ZeroShot.JOBS) {
            def found = System.properties.get(JOBS)
            if (found == null) {
                found = new java.util.concurrent.CopyOnWriteArrayList()
                System.properties.put(JOBS, found)
            }
            return found
        }
    }

    /** ImageJ's question whether it may run a command; null: it may not. */
    private String quitting(String command) {
        def left = jobs().findAll { !it.stop }
        if (command != "Quit" || !left) return command
        if (withoutWindows() || Thread.currentThread().name.startsWith('Run$_')) {
            stopJobs()
            return command
        }
        if (System.properties.putIfAbsent(ASKING, true) != null) return null
        // Not here, where ImageJ holds a lock that all commands need.
        Thread.start("Quit") {
            boolean leave = false
            try {
                leave = askedToQuit(left.collect { it.name })
            } finally {
                System.properties.remove(ASKING)
            }
            if (leave) {
                IJ.showStatus(phrase("stopping"))
                stopJobs()
                IJ.doCommand("Quit")
            }
        }
        return null
    }

    private boolean askedToQuit(List names) {
        def question = new GenericDialog("Quit Fiji")
        question.addMessage(phrase("still_at_work", [jobs: names.collect { "\n    " + it }.join("")]))
        // Return, Esc and closing the window must all be harmless; of three buttons only "no" is
        // not behind any of them.
        question.enableYesNoCancel(phrase("keep_working"), phrase("quit"))
        question.hideCancelButton()
        question.showDialog()
        return !question.wasOKed() && !question.wasCanceled()
    }

    /** Cancel all jobs; those that do not answer end with their Python. */
    private void stopJobs() {
        def left = jobs()
        left.each { it.stop = true }
        long begun = System.currentTimeMillis()
        while (left && System.currentTimeMillis() - begun < QUIT_PATIENCE + 1000) Thread.sleep(50)
    }

    private Map installed() {
        new JsonSlurper().parse(new File(folder, "settings.json"), "UTF-8")
    }

    /** One of the texts of texts.py, with what is to be filled in. */
    private String phrase(String key, Map values = [:]) {
        values.inject(installed().texts[key]) { text, name, value -> text.replace("{${name}}", value) }
    }

    /** Call a function of worker.py that answers at once. */
    private Map ask(String call, Map inputs) {
        def task = service().task("from zsfiji.bridge.stock import worker\n" + call, inputs)
        task.waitFor()
        if (task.error != null) throw new Bug(task.error)
        return task.outputs
    }

    /** Move a window where Python wants it; without an answer it stays where it is. */
    private void move(String call, Map inputs, Closure to) {
        try {
            def found = ask(call, inputs)
            to(found.x as int, found.y as int)
        } catch (Bug | Problem e) {
            IJ.log(e.message)
        }
    }

    /** The Python process, null where none runs. */
    private Object running() {
        def kept = System.properties.get(SERVICE)
        kept != null && kept.python == installed().python && kept.service.isAlive() ? kept.service : null
    }

    private Object service() {
        Map settings = installed()
        String python = settings.python
        synchronized (ZeroShot.SERVICE) {
            def kept = running()
            if (kept != null) return kept
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
            String[] words = [python, "-E", "-X", "utf8", "-m", "zsfiji.bridge.stock.worker"]
            def service = type.getConstructor(File, String[]).newInstance(folder, words)
            try {
                service.start()
            } catch (IOException e) {
                throw new Problem("The Python of zsfiji could not be started (${e.message}). Run " +
                    "'zsfiji install' with this Fiji's folder again.")
            }
            def greeting = service.task("from zsfiji.bridge.stock import worker\nworker.greet(scripts)",
                [scripts: settings.scripts])
            greeting.waitFor()
            // What cannot even answer is told by the job.
            if (greeting.outputs.problem != null) {
                service.close()
                throw new Problem(greeting.outputs.problem)
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
            engine.eval("from zsfiji.bridge.menu import attach\nattach()")
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
        } catch (Bug e) {
            IJ.log(e.message)
            tell(name(label), "This failed because of a bug in zsfiji. Please report the text of the Log window.")
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
        private final Map texts
        private JButton finish
        private final JLabel text
        private final JProgressBar bar = new JProgressBar(0, STEPS)
        private JFrame frame

        Window(String title, String exchange, Map texts) {
            this.texts = texts
            text = new JLabel(texts.starting)
            EventQueue.invokeAndWait {
                frame = new JFrame(title)
                frame.name = "zsfiji"
                // The keyboard stays with ImageJ, where Esc is looked for.
                frame.autoRequestFocus = false
                frame.defaultCloseOperation = JFrame.HIDE_ON_CLOSE
                bar.preferredSize = new Dimension(340, 18)
                finish = new JButton(texts.finish)
                finish.toolTipText = texts.finish_hint
                def cancel = new JButton(texts.cancel)
                cancel.toolTipText = texts.cancel_hint
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
            }
        }

        List getSize() { [frame.width, frame.height] }

        void moveTo(int x, int y) { EventQueue.invokeAndWait { frame.setLocation(x, y) } }

        void open() { EventQueue.invokeAndWait { frame.visible = true } }

        void show(String message, int done, boolean waiting) {
            EventQueue.invokeLater {
                // A job that waits has nothing yet that could be kept.
                finish.visible = !waiting
                text.text = cancelled ? texts.cancelling : finished ? texts.finishing : message
                bar.value = done
            }
        }

        void close() { EventQueue.invokeLater { frame.dispose() } }
    }

    /** What the user can correct. */
    static class Problem extends RuntimeException {
        Problem(String text) { super(text) }
    }

    /** A bug; the text is the traceback. */
    static class Bug extends RuntimeException {
        Bug(String text) { super(text) }
    }

    /** The user has cancelled. */
    static class Stopped extends RuntimeException {}
}
