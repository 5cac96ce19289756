import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.serialization.StringSerializer;
import sun.misc.Signal;

/**
 * Java's kafka-clients as a producer: one of the rivals' programs.
 *
 * <pre>Producer BOOTSTRAP TOPIC MESSAGES_PER_S LEDGER_FILE</pre>
 *
 * Makes messages until SIGTERM, gives the client 30 s to send what is left, and writes the ledger.
 */
public final class Producer {
    private static final int KEY_BYTES = 36;
    private static final int VALUE_BYTES = 90;
    private static final String FILLING = ".".repeat(VALUE_BYTES - KEY_BYTES);
    private static final String ZEROS = "0".repeat(KEY_BYTES);
    private static final long CATCH_UP_MAX_NS = TimeUnit.SECONDS.toNanos(1);
    private static final long SLEEP_NS_MIN = TimeUnit.MILLISECONDS.toNanos(1);
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(30);

    private final KafkaProducer<String, String> producer;
    private final String topic;
    private final long intervalNs;
    private final Ledger ledger = new Ledger();
    private volatile boolean isStopping;

    private Producer(String bootstrap, String topic, int messagesPerS) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("acks", "all");
        properties.put("enable.idempotence", "true");
        properties.put("key.serializer", StringSerializer.class.getName());
        properties.put("value.serializer", StringSerializer.class.getName());
        this.producer = new KafkaProducer<>(properties);
        this.topic = topic;
        this.intervalNs = TimeUnit.SECONDS.toNanos(1) / messagesPerS;
    }

    public static void main(String[] arguments) throws IOException {
        Producer program = new Producer(arguments[0], arguments[1], Integer.parseInt(arguments[2]));
        Thread maker = Thread.currentThread();
        Signal.handle(new Signal("TERM"), signal -> {
            // The client may block for max.block.ms. In this order, no interrupt comes after the stop is seen.
            maker.interrupt();
            program.isStopping = true;
        });
        program.run();
        program.ledger.write(Path.of(arguments[3]));
    }

    private void run() {
        long due = System.nanoTime();
        while (!isStopping) {
            long now = System.nanoTime();
            due = Math.max(due, now - CATCH_UP_MAX_NS);
            for (; due <= now && !isStopping; due += intervalNs) {
                send();
            }
            sleep(due - System.nanoTime());
        }
        ledger.waitEnded(System.nanoTime());
        // Closing would take an interrupt for its own.
        Thread.interrupted();
        producer.close(CLOSE_TIMEOUT);
    }

    /** Blocks while the client does, and counts as failed what it then refuses. */
    private void send() {
        int number = ledger.make();
        String digits = Integer.toString(number);
        String key = ZEROS.substring(digits.length()) + digits;
        try {
            producer.send(new ProducerRecord<>(topic, key, key + FILLING),
                (metadata, error) -> ledger.delivered(number, error));
        } catch (InterruptException stop) {
            ledger.delivered(number, stop);
            isStopping = true;
        } catch (RuntimeException error) {
            ledger.delivered(number, error);
        }
    }

    private static void sleep(long ns) {
        try {
            TimeUnit.NANOSECONDS.sleep(Math.max(ns, SLEEP_NS_MIN));
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
        }
    }

    /** What became of each message. Told by the thread that makes them and by the client's own. */
    private static final class Ledger {
        private final BitSet acknowledged = new BitSet();
        private final BitSet failed = new BitSet();
        private final Map<String, Integer> reasons = new TreeMap<>();
        private int generated;
        private Long lastNs; // the last acknowledgement
        private long stallNs;

        synchronized int make() {
            return generated++;
        }

        synchronized void delivered(int number, Exception error) {
            if (error == null) {
                acknowledged.set(number);
                long now = System.nanoTime();
                waitEnded(now);
                lastNs = now;
            } else if (!failed.get(number)) {
                failed.set(number);
                reasons.merge(error.getClass().getSimpleName(), 1, Integer::sum);
            }
        }

        synchronized void waitEnded(long now) {
            if (lastNs != null) {
                stallNs = Math.max(stallNs, now - lastNs);
            }
        }

        synchronized void write(Path file) throws IOException {
            List<String> lines = new ArrayList<>();
            lines.add("generated " + generated);
            lines.add("stall_ms " + TimeUnit.NANOSECONDS.toMillis(stallNs));
            reasons.forEach((name, count) -> lines.add("reason " + count + " " + name));
            BitSet unsent = new BitSet();
            unsent.set(0, generated);
            unsent.andNot(acknowledged);
            unsent.andNot(failed);
            addRanges(lines, "failed", failed);
            addRanges(lines, "unsent", unsent);
            Files.write(file, lines);
        }

        private static void addRanges(List<String> lines, String kind, BitSet numbers) {
            for (int first = numbers.nextSetBit(0); first >= 0; ) {
                int end = numbers.nextClearBit(first);
                lines.add(kind + " " + first + " " + (end - 1));
                first = numbers.nextSetBit(end);
            }
        }
    }
}
