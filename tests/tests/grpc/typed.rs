//! Calls with generated code of protoc, compared by the names in the set of descriptors that protoc wrote.

use std::{fs, path::Path, process::Command};

use shadow_core::evidence::report::Report;
use shadow_tests::need;

use super::calls::{Call, mirrored};

/// Runs protoc on the shop of the core's tests, in this folder.
fn protoc(directory: &Path, word: &str) {
    let proto = include_str!("../../../shadow-core/tests/descriptors/shop.proto");
    fs::write(directory.join("shop.proto"), proto).expect("a file");
    let output = Command::new("protoc")
        .args(["--include_imports", word, "shop.proto"])
        .current_dir(directory)
        .output()
        .expect("protoc starts");
    assert!(
        output.status.success(),
        "{word}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The report of calls to a server of this edition, with more rules of `compare`.
fn report(edition: &str, rules: &str) -> Report {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let set = directory.path().join("shop.pb");
    protoc(directory.path(), "--python_out=.");
    protoc(
        directory.path(),
        &format!("--descriptor_set_out={}", set.display()),
    );
    let call = Call {
        server: include_str!("typed_server.py"),
        client: include_str!("typed_client.py"),
        edition,
        config: &format!("compare: {{proto_descriptors: {}{rules}}}\n", set.display()),
        rounds: 10,
        ..Call::default()
    };
    mirrored(directory.path(), &call).0
}

fn places(report: &Report) -> Vec<&str> {
    let mut places: Vec<&str> = report.groups.iter().map(|group| group.place.as_str()).collect();
    places.sort_unstable();
    places.dedup();
    places
}

#[test]
fn a_set_of_descriptors_names_fields_and_says_what_only_reads() {
    need!(
        Root,
        Program("protoc"),
        File("/usr/include/google/protobuf/any.proto"),
        File("/usr/lib/python3/dist-packages/grpc/__init__.py"),
        File("/usr/lib/python3/dist-packages/google/protobuf/__init__.py")
    );
    let same = report("", "");
    let funnel = &same.funnel;
    // Get and List have no side effects, Put may; a method that the set lacks is a write.
    assert_eq!(
        funnel.skipped.keys().collect::<Vec<_>>(),
        ["grpc_write"],
        "{funnel:#?}"
    );
    assert_eq!(
        (funnel.matched, funnel.mismatched, funnel.shadow_errors),
        (funnel.replayed, 0, 0),
        "{:#?}",
        same.groups
    );
    assert_eq!(funnel.skipped["grpc_write"], 20);
    // The other edition writes maps in another order and defaults that are not needed, and has three faults.
    let other = report("other", "");
    let found = places(&other);
    assert_eq!(
        found,
        ["$.created", "$.extra.sku", "$.items[sku=pot].unitPrice"],
        "{:#?}",
        other.groups
    );
    let ruled = ", ignore: ['$.extra.sku'], places: [{path: '$.created', within: 10s}, {path: '$.items[*].unitPrice', \
                 tolerance: {absolute: 1}}]";
    let other = report("other", ruled);
    assert_eq!(places(&other), [""; 0], "{:#?}", other.groups);
}
