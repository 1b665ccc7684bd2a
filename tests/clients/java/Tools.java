import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command line tools one after the other in one JVM, since each would take longer to start than to run.
 *
 * <p>The argument is a file of command lines; SERVER, PREFIX and WORK in it come from the system properties of these
 * names. A line that begins with {@code |} is input of the next command. {@code until TEXT} has the next command
 * repeated until it prints that; {@code only PATTERN} shows the lines of its output that have it; {@code count} shows
 * how many lines there are; {@code sorted} shows them in order. {@code &} before a command leaves it in the background; what it prints is not shown.
 */
public final class Tools {
    private static final Map<String, List<String>> CLASSES = Map.ofEntries(
        tool("kafka-topics", "org.apache.kafka.tools.TopicCommand"),
        tool("kafka-configs", "kafka.admin.ConfigCommand"),
        tool("kafka-consumer-groups", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"),
        tool("kafka-get-offsets", "org.apache.kafka.tools.GetOffsetShell"),
        tool("kafka-delete-records", "org.apache.kafka.tools.DeleteRecordsCommand"),
        tool("kafka-log-dirs", "org.apache.kafka.tools.LogDirsCommand"),
        tool("kafka-broker-api-versions", "org.apache.kafka.tools.BrokerApiVersionsCommand",
            "kafka.admin.BrokerApiVersionsCommand"),
        tool("kafka-transactions", "org.apache.kafka.tools.TransactionsCommand"),
        tool("kafka-console-producer", "org.apache.kafka.tools.ConsoleProducer", "kafka.tools.ConsoleProducer"),
        tool("kafka-console-consumer", "org.apache.kafka.tools.consumer.ConsoleConsumer"),
        tool("kafka-verifiable-producer", "org.apache.kafka.tools.VerifiableProducer"),
        tool("kafka-verifiable-consumer", "org.apache.kafka.tools.VerifiableConsumer"),
        tool("kafka-producer-perf-test", "org.apache.kafka.tools.ProducerPerformance"),
        tool("kafka-consumer-perf-test", "org.apache.kafka.tools.ConsumerPerformance"),
        tool("client-compatibility-test", "org.apache.kafka.tools.ClientCompatibilityTest"),
        tool("transactional-message-copier", "org.apache.kafka.tools.TransactionalMessageCopier"));

    private static final long LIMIT_MS = 60_000;
    private static final InheritableThreadLocal<ByteArrayOutputStream> OUTPUT = new InheritableThreadLocal<>();
    private static final InheritableThreadLocal<List<Runnable>> AT_THE_END = new InheritableThreadLocal<>();
    private static final PrintStream TERMINAL = System.out;

    /** Ends a tool where it would have ended the JVM. */
    private static final class Exited extends Error {
        Exited() {
            super("exit", null, false, false);
        }
    }

    private static Map.Entry<String, List<String>> tool(String name, String... classes) {
        return Map.entry(name, List.of(classes));
    }

    public static void main(String[] arguments) throws Exception {
        System.setOut(new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8) {
            @Override
            public void write(byte[] data, int from, int length) {
                OUTPUT.get().write(data, from, length);
            }

            @Override
            public void write(int data) {
                OUTPUT.get().write(data);
            }
        });
        OUTPUT.set(new ByteArrayOutputStream());
        StringBuilder input = new StringBuilder();
        Shown shown = new Shown();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            for (String name : List.of("SERVER", "PREFIX", "WORK")) {
                line = line.replace(name, System.getProperty(name));
            }
            if (line.startsWith("| ")) {
                input.append(line.substring(2)).append('\n');
            } else if (line.startsWith("until ")) {
                shown.awaited = line.substring(6);
            } else if (line.startsWith("only ")) {
                shown.pattern = Pattern.compile(line.substring(5));
            } else if (line.equals("count")) {
                shown.counted = true;
            } else if (line.equals("sorted")) {
                shown.sorted = true;
            } else if (line.startsWith("& ")) {
                Thread thread = new Thread(task(words(line.substring(2)), new AtomicInteger()));
                thread.setDaemon(true);
                thread.start();
            } else if (!line.isEmpty() && !line.startsWith("#")) {
                System.setIn(new ByteArrayInputStream(input.toString().getBytes(StandardCharsets.UTF_8)));
                shown.run(line);
                input.setLength(0);
                shown = new Shown();
            }
        }
        TERMINAL.flush();
        Runtime.getRuntime().halt(0);
    }

    /** How the next command is shown. */
    private static final class Shown {
        String awaited = "";
        Pattern pattern = Pattern.compile("");
        boolean counted;
        boolean sorted;

        /** Runs a command, again and again when something is awaited, and prints what it said. */
        void run(String line) throws InterruptedException {
            long deadline = System.currentTimeMillis() + LIMIT_MS / 2;
            String said;
            do {
                said = Tools.run(words(line));
            } while (!said.contains(awaited) && System.currentTimeMillis() < deadline);
            Stream<String> chosen = said.lines().filter(pattern.asPredicate());
            if (sorted) {
                // Kafka 3.9 has all rows of some tables in one line.
                String row = "(?<= )(?=" + System.getProperty("PREFIX") + "-\\S+ +" + System.getProperty("PREFIX") + "-)";
                chosen = chosen.flatMap(Pattern.compile(row)::splitAsStream).sorted();
            }
            List<String> lines = chosen.toList();
            TERMINAL.println("$ " + line.replaceAll(" --bootstrap-server \\S+", ""));
            if (counted) {
                TERMINAL.println(lines.size() + " lines, " + lines.stream().distinct().count() + " different");
            } else {
                lines.forEach(TERMINAL::println);
            }
            TERMINAL.flush();
        }
    }

    private static String run(List<String> words) throws InterruptedException {
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        AtomicInteger code = new AtomicInteger();
        OUTPUT.set(output);
        Thread thread = new Thread(task(words, code));
        thread.setDaemon(true);
        thread.start();
        thread.join(LIMIT_MS);
        String said = output.toString(StandardCharsets.UTF_8);
        if (!said.isEmpty() && !said.endsWith("\n")) {
            said += "\n";
        }
        if (thread.isAlive()) {
            thread.interrupt();
            for (StackTraceElement place : thread.getStackTrace()) {
                System.err.println("    at " + place);
            }
            return said + "(still running after " + LIMIT_MS / 1000 + " s)\n";
        }
        return code.get() == 0 ? said : said + "(exit code " + code + ")\n";
    }

    /** The main method of the tool; the first exit code that it asks for counts. */
    private static Runnable task(List<String> words, AtomicInteger code) {
        Exit.Procedure exit = (status, message) -> {
            code.compareAndSet(0, status == 0 ? Integer.MIN_VALUE : status);
            throw new Exited();
        };
        return () -> {
            List<Runnable> hooks = new java.util.concurrent.CopyOnWriteArrayList<>();
            AT_THE_END.set(hooks);
            Exit.setShutdownHookAdder((name, hook) -> AT_THE_END.get().add(hook));
            Exit.setExitProcedure(exit);
            Exit.setHaltProcedure(exit);
            try {
                main(words.get(0)).invoke(null, (Object) words.subList(1, words.size()).toArray(new String[0]));
            } catch (java.lang.reflect.InvocationTargetException failure) {
                if (!(failure.getCause() instanceof Exited)) {
                    failure.getCause().printStackTrace();
                    code.compareAndSet(0, 1);
                }
            } catch (ReflectiveOperationException failure) {
                throw new IllegalStateException(words.get(0), failure);
            } finally {
                hooks.forEach(Runnable::run);
                code.compareAndSet(Integer.MIN_VALUE, 0);
            }
        };
    }

    private static java.lang.reflect.Method main(String tool) throws ReflectiveOperationException {
        for (String name : CLASSES.get(tool)) {
            try {
                return Class.forName(name).getMethod("main", String[].class);
            } catch (ClassNotFoundException failure) {
                continue;
            }
        }
        throw new ClassNotFoundException(tool);
    }

    /** The words of a command line; quotes keep spaces. */
    private static List<String> words(String line) {
        List<String> words = new ArrayList<>();
        Matcher word = Pattern.compile("\"([^\"]*)\"|(\\S+)").matcher(line);
        while (word.find()) {
            words.add(word.group(1) != null ? word.group(1) : word.group(2));
        }
        return words;
    }
}
