use clap::{CommandFactory as _, Parser as _};

use super::*;
use shadow_proto::units::Span;

use crate::config::{Config, writes::WriteMode};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

fn run_config(line: &str, mut config: Config) -> Config {
    match parse(line).expect(line).command {
        Command::Run(args) => args.apply(&mut config),
        other => panic!("{line} is {other:?}"),
    }
    config
}

#[test]
fn the_grammar_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_help_with_an_example() {
    fn visit(command: &clap::Command, path: &str) {
        let mut leaf = true;
        for sub in command
            .get_subcommands()
            .filter(|sub| sub.get_name() != "help" && !sub.is_hide_set())
        {
            leaf = false;
            visit(sub, &format!("{path} {}", sub.get_name()));
        }
        if leaf {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.contains("Example"), "`{path} --help` shows no example");
            assert!(
                help.contains(path),
                "the example of `{path}` does not show `{path}`:\n{help}"
            );
        }
    }
    let mut command = Cli::command();
    command.build();
    visit(&command, "shadow");
}

#[test]
fn the_line_of_the_readme_is_a_whole_configuration() {
    let config = run_config(
        "shadow run --interface lo --port 8080 --shadow http://127.0.0.1:9090",
        Config::default(),
    );
    assert_eq!(config.problems(), []);
    assert_eq!(config.capture.interfaces, ["lo"]);
    assert_eq!(config.capture.targets, ["8080".parse().expect("target")]);
    assert_eq!(
        config.shadow.url.expect("a URL").to_string(),
        "http://127.0.0.1:9090"
    );
}

#[test]
fn flags_override_the_file_and_lists_replace_lists() {
    let file = "capture: {interfaces: [eth0], targets: [80], sample: 50%}\nshadow: {url: 'http://a:1', timeout: 9s}\n";
    let file = Config::parse(Path::new("file"), file).expect("parses");
    let config = run_config(
        "shadow run -i lo -i veth* --target [::1]:8080 --port 81 --sample 5% --writes replay --duration 3s",
        file.clone(),
    );
    assert_eq!(config.capture.interfaces, ["lo", "veth*"]);
    let targets: Vec<String> = config.capture.targets.iter().map(ToString::to_string).collect();
    assert_eq!(targets, ["81", "[::1]:8080"]);
    assert_eq!(config.capture.sample.to_string(), "5%");
    assert_eq!(config.shadow.writes.default, WriteMode::Replay);
    assert_eq!(config.shadow.timeout, "9s".parse::<Span>().expect("span"));
    assert_eq!(config.agent.duration.expect("a duration").to_string(), "3s");

    let observing = run_config("shadow run --observe", file);
    assert_eq!(observing.shadow.url, None, "observing sends nothing");
    assert_eq!(observing.problems(), []);
    let both = run_config(
        "shadow run --observe --shadow http://a:1 -i lo -p 1",
        Config::default(),
    );
    assert_eq!(both.problems().len(), 1);
}

#[test]
fn wrong_values_are_refused_with_an_example() {
    for (line, says) in [
        ("shadow run --sample 5", "write for example 5%"),
        ("shadow run --timeout soon", "write for example 200ms"),
        ("shadow run --ring-size big", "write for example 512KiB"),
        ("shadow run --target 10.0.0.1", "10.0.0.1:8080"),
        ("shadow run --shadow 10.0.0.1:9090", "http://10.0.0.2:9090"),
        ("shadow run --port 0", "0 is not in 1..=65535"),
        ("shadow run --writes maybe", "possible values: skip, replay"),
        ("shadow run --interfaces lo", "--interface"),
        ("shadow confg", "config"),
    ] {
        let error = parse(line).expect_err(line).to_string();
        assert!(error.contains(says), "{line}: {error}");
    }
}
