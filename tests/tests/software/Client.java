import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

/** Sends requests to a server as the library does by default, which is with an offer of HTTP/2. */
public class Client {
    public static void main(String[] args) throws Exception {
        var answered = 0;
        for (var connection = 0; connection < 5; connection++) {
            var client = HttpClient.newHttpClient();
            for (var path : args[1].split(",")) {
                var uri = URI.create(args[0] + path);
                var requests = new HttpRequest.Builder[] {
                    HttpRequest.newBuilder(uri).GET(),
                    HttpRequest.newBuilder(uri).method("HEAD", BodyPublishers.noBody()),
                };
                for (var request : requests) {
                    client.send(request.build(), BodyHandlers.ofByteArray());
                    answered++;
                }
            }
            var form = HttpRequest.newBuilder(URI.create(args[0] + "/read"));
            client.send(form.POST(BodyPublishers.ofString("a=1")).build(), BodyHandlers.ofByteArray());
            answered++;
        }
        System.out.println("answered " + answered);
    }
}
