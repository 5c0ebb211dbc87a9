import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/** A driver that does what its first argument says: ok, fail, executor, or wait for the file of its second one. */
public class Driver {
    public static void main(String[] arguments) throws Exception {
        String what = arguments[0];
        JavaSparkContext context = new JavaSparkContext(new SparkConf());
        long count = context.parallelize(List.of(1, 2, 3), 1).map(each -> {
            if (what.equals("executor")) {
                throw new IllegalStateException("broken in an executor");
            }
            return each + 1;
        }).count();
        System.out.println("counted " + count);
        if (what.equals("fail")) {
            throw new IllegalArgumentException("broken in the driver");
        }
        while (what.equals("wait") && !Files.exists(Path.of(arguments[1]))) {
            Thread.sleep(200);
        }
        context.stop();
    }
}
