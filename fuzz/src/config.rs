//! Configuration files: text in, a configuration or an error with its position out; a parsed one survives writing.

use std::path::Path;

use shadow_agent::config::Config;

/// YAML.
pub fn run(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let path = Path::new("shadow.yaml");
    match Config::parse(path, text) {
        Err(error) => assert!(error.to_string().starts_with("shadow.yaml"), "{error}"),
        Ok(config) => {
            for problem in config.problems() {
                assert!(!problem.to_string().is_empty());
            }
        }
    }
}
