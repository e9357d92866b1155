use core::time::Duration;
use std::path::Path;

use shadow_core::compare::Comparator;

use crate::config::Config;

fn read(compare: &str) -> Result<Config, String> {
    let text = format!("compare:\n{compare}");
    Config::parse(Path::new("shadow.yaml"), &text).map_err(|error| error.to_string())
}

#[test]
fn every_kind_of_rule_is_read() {
    let config = read(
        r"
  same_status: [[200, 204]]
  error_type: [/error/code]
  places:
    - {path: '$.id', format: uuid}
    - {path: '$.at', within: 5s}
    - {path: '$.items', key: sku}
    - {path: '$..total', tolerance: {absolute: 0.01}, numbers_as_strings: true}
  routes:
    - route: GET /users/{id}
      status: class
      ignore: ['$.session', '/order//@id']
      mask: ['\d+ ms']
      places:
        - {path: '$.nonce', format: 'regex:[a-z]{8}'}
",
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let rules = config.compare.clone();
    assert_eq!(rules.places[1].within, Some(Duration::from_secs(5)));
    assert_eq!(rules.routes[0].ignore[0].as_str(), "$.session");
    Comparator::new(rules).unwrap_or_else(|error| panic!("{error}"));
    // A further target inherits the section by serializing and parsing it.
    let text = serde_yaml_ng::to_string(&config).expect("a configuration can be written");
    let again = Config::parse(Path::new("again"), &text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(again.compare, config.compare);
}

#[test]
fn a_wrong_rule_is_refused_with_line_and_column() {
    for (compare, expected) in [
        (
            "  ignore:\n    - '$.fine'\n    - '$.a[?@.x]'\n",
            "shadow.yaml:4:7: compare.ignore[1]: \"$.a[?@.x]\" is no path that can be used, at column 5: filters",
        ),
        (
            "  ignore: ['/a/@b/c']\n",
            "shadow.yaml:2:12: compare.ignore[0]: \"/a/@b/c\" is no path that can be used, at column 6: nothing is",
        ),
        (
            "  mask: ['x*']\n",
            "shadow.yaml:2:10: compare.mask[0]: \"x*\" is no regular expression that can be used: it matches where",
        ),
        (
            "  places:\n    - path: '$.a'\n      fromat: uuid\n",
            "shadow.yaml:4:7: unknown key `fromat` in `compare.places[0]`; did you mean `format`?",
        ),
        (
            "  places:\n    - {path: '$.a', format: guid}\n",
            "shadow.yaml:3:29: compare.places[0].format: there is no format \"guid\"; there are uuid",
        ),
        (
            "  places:\n    - {path: '$.a', format: 'regex:['}\n",
            "shadow.yaml:3:29: compare.places[0].format: \"[\" is no regular expression",
        ),
        (
            "  routes:\n    - route: GET users\n",
            "shadow.yaml:3:14: compare.routes[0].route: \"GET users\" is no route, at column 5: a path begins with /",
        ),
        (
            "  headers: [etag, 'a b']\n",
            "shadow.yaml:2:19: compare.headers[1]: \"a b\" is no header field name",
        ),
        (
            "  error_type: [error/code]\n",
            "shadow.yaml:2:16: compare.error_type[0]: \"error/code\" is no pointer at column 6",
        ),
        (
            "  tolerance: {absolute: -1}\n",
            "shadow.yaml:2:25: compare.tolerance.absolute: a tolerance is a number of at least 0, not -1",
        ),
        (
            "  routes:\n    - route: /a\n      places: [{path: '$.x', within: soon}]\n",
            "shadow.yaml:4:",
        ),
    ] {
        let error = read(compare).expect_err(compare);
        assert!(error.starts_with(expected), "{error}\nis not\n{expected}");
        assert!(!error.contains('\n'), "{error}");
    }
}
