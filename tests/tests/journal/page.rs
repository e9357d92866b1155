//! The page in a real browser: its contents are right, captured text is never executed, and it makes no requests.

use std::{fs, path::Path, process::Command, time::Duration};

use shadow_tests::need;

use crate::stage::{Stage, response};

const SCRIPT: &str =
    "<script>document.title='taken over'</script><img src=http://evil.example/x onerror=alert(1)>";

/// The page as rendered by the browser, its console output, and every address that it requested.
struct Seen {
    dom: String,
    console: String,
    asked: Vec<String>,
}

fn browse(page: &Path, home: &Path) -> Seen {
    let log = home.join("net.json");
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-sync",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-extensions",
        ])
        .args([
            "--disable-dev-shm-usage",
            "--enable-logging=stderr",
            "--virtual-time-budget=3000",
        ])
        .arg(format!("--user-data-dir={}", home.join("profile").display()))
        .arg(format!("--log-net-log={}", log.display()))
        .arg(format!("--screenshot={}", home.join("page.png").display()))
        .args(["--window-size=1240,2400", "--dump-dom"])
        .arg(format!("file://{}", page.display()))
        .env("HOME", home)
        .output()
        .expect("chromium starts");
    assert!(output.status.success(), "{output:?}");
    let net = fs::read_to_string(&log).expect("a log of requests");
    let asked = net
        .split("\"url\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect();
    Seen {
        dom: String::from_utf8_lossy(&output.stdout).into_owned(),
        console: String::from_utf8_lossy(&output.stderr)
            .lines()
            .filter(|line| line.contains("CONSOLE"))
            .collect(),
        asked,
    }
}

/// The page itself, and the requests that this browser makes to its vendor for any page.
fn is_own(url: &str) -> bool {
    let host = url.split('/').nth(2).unwrap_or_default();
    url.starts_with("file:")
        || [".google.com", ".googleapis.com"]
            .iter()
            .any(|maker| host.ends_with(maker))
}

#[test]
fn the_page_opens_in_a_browser_and_nothing_in_it_is_obeyed() {
    need!(Root, Program("chromium"));
    let answer = |price: u32| {
        let text = format!("{{\"price\":{price},\"name\":\"{SCRIPT}{price}\",\"stock\":7}}");
        response("Content-Type: application/json\r\n", &text)
    };
    let stage = Stage::new(&answer(1), &answer(2));
    let mut agent = stage.start(stage.plan());
    // A target must not contain an angle bracket (RFC 3986): it is not replayed. Quotes and ampersands are allowed.
    let target = |number| format!("/items/{number}?q='onload=alert(1)&amp;lt;script");
    let targets: Vec<String> = (0..40).map(target).collect();
    stage.get(&targets);
    agent.settled(40);
    // Past the end of the first window.
    std::thread::sleep(Duration::from_secs(12));
    let page = stage.file("report.html");
    let output = agent.ask(&["report", "--html", page.to_str().expect("text")]);
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("written to"),
        "{output:?}"
    );
    // Where there is no route to other networks.
    let seen = stage.lab.client.run(|| browse(&page, stage.directory.path()));
    assert_eq!(seen.console, "", "errors in the console");
    let (dom, asked) = (&seen.dom, &seen.asked);
    assert!(dom.contains("<title>Shadow: "), "{dom}");
    assert!(
        dom.contains("&lt;script&gt;document.title"),
        "what was captured is shown: {dom}"
    );
    for what in ["NO-GO", "match rate over time", "latency distributions", "Case "] {
        assert!(dom.contains(what), "{what} is not on the page: {dom}");
    }
    let foreign: Vec<_> = asked.iter().filter(|url| !is_own(url)).collect();
    assert!(foreign.is_empty(), "it asked for {foreign:?}");

    // Without an agent the page is made from the journal.
    agent.stop();
    let later = stage.file("later.html");
    agent.ask(&["report", "--html", later.to_str().expect("text")]);
    let text = fs::read_to_string(&later).expect("a page");
    for what in ["NO-GO", "<svg", "latency distributions", "Case ", "<td>end</td>"] {
        assert!(
            text.contains(what),
            "{what} is not on the page that was made without an agent"
        );
    }
}
