//! The definition of `ShadowTest` for the API server, derived from the types that a test is read into.
//!
//! A schema of `apiextensions.k8s.io/v1` is *structural*: no references, one type for each value, nothing but
//! validation in `anyOf`. A value that is written in several forms is left to the check of the agent
//! (`x-kubernetes-preserve-unknown-fields`).

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{shadow_test::TestSpec, test_status::TestStatus};

/// The group of the API.
pub const GROUP: &str = "shadow.dev";
/// Its version.
pub const VERSION: &str = "v1alpha1";
/// The kind.
pub const KIND: &str = "ShadowTest";
/// The plural of the kind, in paths.
pub const PLURAL: &str = "shadowtests";

/// How deep sections may be inside each other; deeper ones are not described.
const DEPTH: usize = 12;

/// Any value.
const ANY: &str = "x-kubernetes-preserve-unknown-fields";

/// The definition.
pub fn crd() -> Value {
    let column = |name: &str, kind: &str, path: &str| json!({"name": name, "type": kind, "jsonPath": path});
    let condition = |of: &str, field: &str| format!(".status.conditions[?(@.type==\"{of}\")].{field}");
    let schema = json!({
        "type": "object",
        "description": "Production's pods whose traffic is mirrored to a shadow system, and the verdict on it.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": of::<TestSpec>(),
            "status": of::<TestStatus>(),
        },
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{PLURAL}.{GROUP}"),
            // Tests and their evidence outlive the chart.
            "annotations": {"helm.sh/resource-policy": "keep"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": KIND, "listKind": "ShadowTestList", "plural": PLURAL, "singular": "shadowtest"},
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    column("Capturing", "string", &condition("Capturing", "status")),
                    column("Pods", "string", ".status.pods"),
                    column("Coverage", "string", ".status.coverage"),
                    column("Verdict", "string", &condition("Verdict", "reason")),
                    column("Degraded", "string", &condition("Degraded", "reason")),
                    column("Age", "date", ".metadata.creationTimestamp"),
                ],
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}

/// The definition as YAML.
pub fn yaml() -> Result<String, serde_yaml_ng::Error> {
    // By way of text: numbers of serde_json are a type of its own.
    let value: serde_yaml_ng::Value = serde_yaml_ng::from_str(&crd().to_string())?;
    let text = serde_yaml_ng::to_string(&value)?;
    Ok(format!(
        "# The kind ShadowTest. Written by `shadow config crd`.\n{text}"
    ))
}

/// The structural schema of a type.
fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12();
    let root = settings.into_generator().into_root_schema_for::<T>().to_value();
    structural(&root, &root, DEPTH)
}

/// A part of a schema in the structural form.
fn structural(root: &Value, part: &Value, depth: usize) -> Value {
    let mut made = Map::new();
    if let Some(text) = description(root, part) {
        made.insert("description".to_owned(), text.clone());
    }
    let part = plain(root, part);
    if let Some(words) = words(part) {
        made.insert("type".to_owned(), "string".into());
        made.insert("enum".to_owned(), words);
        return Value::Object(made);
    }
    let kinds = match &*kinds(part) {
        // A unit: `5%`, `2s`. Both types at once (`x-kubernetes-int-or-string`) would make lists of the status atomic
        // in API servers before 1.21, so that each node would replace the entries of the others.
        ["string", "number"] => vec!["string"],
        kinds => kinds.to_vec(),
    };
    match &*kinds {
        ["string" | "integer" | "number" | "boolean"] if depth > 0 => {}
        ["object"] if depth > 0 => section(root, part, depth, &mut made),
        ["array"] if depth > 0 => {
            let items = part.get("items").unwrap_or(&Value::Null);
            made.insert("items".to_owned(), structural(root, items, depth - 1));
        }
        _ => {
            made.insert(ANY.to_owned(), true.into());
            return Value::Object(made);
        }
    }
    made.extend(kinds.first().map(|kind| ("type".to_owned(), (*kind).into())));
    for (key, value) in part.as_object().into_iter().flatten() {
        if matches!(&**key, "minimum" | "maximum") || key.starts_with("x-kubernetes-") {
            made.insert(key.clone(), value.clone());
        }
    }
    Value::Object(made)
}

/// Adds the keys of a section.
fn section(root: &Value, part: &Value, depth: usize, made: &mut Map<String, Value>) {
    let Some(properties) = part.get("properties").and_then(Value::as_object) else {
        // Names that the tenant chooses.
        let values = part.get("additionalProperties").unwrap_or(&Value::Null);
        made.insert(
            "additionalProperties".to_owned(),
            structural(root, values, depth - 1),
        );
        return;
    };
    let properties: Map<String, Value> = properties
        .iter()
        .map(|(key, value)| (key.clone(), structural(root, value, depth - 1)))
        .collect();
    made.insert("properties".to_owned(), properties.into());
    made.extend(
        part.get("required")
            .map(|names| ("required".to_owned(), names.clone())),
    );
}

/// The part that a reference names.
fn resolved<'s>(root: &'s Value, mut part: &'s Value) -> &'s Value {
    while let Some(reference) = part.get("$ref").and_then(Value::as_str) {
        let Some(found) = root.pointer(reference.trim_start_matches('#')) else {
            return &Value::Null;
        };
        part = found;
    }
    part
}

/// The part without its reference and without `null`, which a test leaves out.
fn plain<'s>(root: &'s Value, part: &'s Value) -> &'s Value {
    let part = resolved(root, part);
    match part.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([one, null]) if null["type"] == "null" => resolved(root, one),
        _ => part,
    }
}

fn description<'s>(root: &'s Value, part: &'s Value) -> Option<&'s Value> {
    part.get("description")
        .or_else(|| resolved(root, part).get("description"))
}

/// The types of a value, without `null`.
fn kinds(part: &Value) -> Vec<&str> {
    let all = match part.get("type") {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![&**one],
        _ => Vec::new(),
    };
    all.into_iter().filter(|kind| *kind != "null").collect()
}

/// The words of a value that is one of some words.
fn words(part: &Value) -> Option<Value> {
    if let Some(words) = part.get("enum").and_then(Value::as_array) {
        return words.iter().all(Value::is_string).then(|| words.clone().into());
    }
    let either = part.get("oneOf")?.as_array()?;
    let mut all = Vec::new();
    for one in either {
        match (one.get("const"), one.get("enum").and_then(Value::as_array)) {
            (Some(word), _) => all.push(word.clone()),
            (None, Some(words)) => all.extend(words.iter().cloned()),
            (None, None) => return None,
        }
    }
    Some(all.into())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// The file from which the chart installs the kind.
    const FILE: &str = "../deploy/helm/shadow/files/shadowtest.yaml";

    #[test]
    fn the_committed_definition_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            committed,
            yaml().expect("a definition"),
            "write it anew: shadow config crd > {}",
            path.display()
        );
    }

    /// The rules of structural schemas, as far as they can be broken here.
    fn check(schema: &Value, at: &str) {
        let object = schema.as_object().unwrap_or_else(|| panic!("{at} is no schema"));
        for key in [
            "$ref",
            "anyOf",
            "oneOf",
            "allOf",
            "not",
            "$defs",
            "const",
            "default",
            "$schema",
            "nullable",
            "x-kubernetes-int-or-string",
        ] {
            assert!(!object.contains_key(key), "{at} has {key}");
        }
        let any = object.contains_key(ANY) || object.contains_key("x-kubernetes-int-or-string");
        assert_ne!(
            any,
            object.get("type").is_some_and(Value::is_string),
            "{at}: {schema}"
        );
        if object.get("type").is_some_and(|kind| kind == "array") {
            check(&schema["items"], &format!("{at}[]"));
        }
        for (name, part) in schema["properties"].as_object().into_iter().flatten() {
            check(part, &format!("{at}.{name}"));
        }
        if let Some(values) = object.get("additionalProperties") {
            check(values, &format!("{at}.*"));
        }
    }

    #[test]
    fn the_schema_is_structural_and_has_every_key() {
        let definition = crd();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        check(schema, "");
        let spec = &schema["properties"]["spec"]["properties"];
        for (path, part) in [
            ("/portName/type", json!("string")),
            ("/sample/type", json!("string")),
            ("/ports/items/maximum", json!(65535)),
            ("/gates/properties/latency_ratio/type", json!("number")),
            ("/rules/properties/ignore/items/type", json!("string")),
            ("/rules/properties/arrays/type", json!("string")),
            ("/phases/items/required/0", json!("name")),
            ("/shadow/properties/url/type", json!("string")),
            ("/suspend/type", json!("boolean")),
        ] {
            assert_eq!(spec.pointer(path), Some(&part), "{path}");
        }
        let status = &schema["properties"]["status"]["properties"];
        assert_eq!(status["nodes"]["x-kubernetes-list-map-keys"], json!(["node"]));
        let reasons = &status["nodes"]["items"]["properties"]["degraded"]["properties"]["reason"]["enum"];
        let last = super::super::test_status::DegradedReason::ShadowFailing.as_str();
        assert!(reasons.as_array().expect("a closed list").contains(&last.into()));
    }
}
