//! The JSON Schema of the configuration file, for editors. It is derived from the types that the file is parsed into;
//! here are those whose notation is text, or text or a section.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::Value;

use super::{
    Config, Rules, Shadow,
    extra_targets::ExtraTarget,
    place::{ShadowUrl, Target},
    rewrite::{self, Credentials, KeepOrStrip},
    text::{Named, OneOrMore, Words},
    trips::Resume,
    writes::{self, WriteMode, Writes},
};
use crate::pipeline::Role;

/// The schema of the whole file (JSON Schema, draft 2020-12).
pub fn schema() -> Schema {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Config>()
}

macro_rules! notations {
    ($($type:ty, |$generator:ident| $schema:expr;)+) => { $(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )+ };
}

notations! {
    Target, |_generator| json_schema!({"type": ["string", "integer"]});
    ShadowUrl, |_generator| json_schema!({"type": "string", "format": "uri"});
    Resume, |_generator| json_schema!({"type": "string"});
    OneOrMore, |_generator| json_schema!({
        "type": ["string", "integer", "array"],
        "items": {"type": ["string", "number", "boolean"]},
    });
    Named, |_generator| json_schema!({
        "type": "object",
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    });
    Writes, |generator| {
        let word = generator.subschema_for::<WriteMode>();
        let section = generator.subschema_for::<writes::Section>();
        json_schema!({"anyOf": [word, section]})
    };
    Credentials, |generator| {
        let word = generator.subschema_for::<KeepOrStrip>();
        let section = generator.subschema_for::<rewrite::Section>();
        json_schema!({"anyOf": [word, section]})
    };
    ExtraTarget, |generator| {
        let own = [
            ("name", json_schema!({"type": "string"})),
            ("role", generator.subschema_for::<Role>()),
            ("compare", generator.subschema_for::<Rules>()),
        ];
        let mut schema = Shadow::json_schema(generator);
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.extend(own.map(|(key, of)| (key.to_owned(), of.to_value())));
        }
        schema
    };
}

impl<T> JsonSchema for Words<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::schema;
    use crate::config::Config;

    /// The part of the schema for a value, with references followed.
    fn resolved<'s>(root: &'s Value, mut part: &'s Value) -> &'s Value {
        while let Some(reference) = part.get("$ref").and_then(Value::as_str) {
            part = root.pointer(reference.trim_start_matches('#')).expect(reference);
        }
        part
    }

    fn covers(root: &Value, part: &Value, value: &Value, at: &str) {
        let Value::Object(members) = value else {
            return;
        };
        let part = resolved(root, part);
        let sections: Vec<&Value> = match part.get("anyOf").and_then(Value::as_array) {
            Some(either) => either.iter().map(|part| resolved(root, part)).collect(),
            None => vec![part],
        };
        let properties = sections.iter().find_map(|section| section.get("properties"));
        let properties = properties.unwrap_or_else(|| panic!("{at}: no section in {part}"));
        for (key, value) in members {
            let at = format!("{at}.{key}");
            let part = properties
                .get(key)
                .unwrap_or_else(|| panic!("{at} is not in the schema"));
            assert!(
                part.get("description").is_some() || resolved(root, part).get("description").is_some(),
                "{at} has no description"
            );
            covers(root, part, value, &at);
        }
    }

    #[test]
    fn every_key_is_in_the_schema_with_a_description() {
        let root = schema().to_value();
        let config = serde_json::to_value(Config::default()).expect("a configuration is JSON");
        covers(&root, &root, &config, "");
        let sizes = resolved(&root, &root["properties"]["limits"])["properties"]["memory"].clone();
        assert_eq!(
            resolved(&root, &sizes)["type"],
            serde_json::json!(["string", "number"])
        );
        let unknown = &root["additionalProperties"];
        assert_eq!(unknown, &Value::Bool(false), "unknown keys are refused");
    }
}
