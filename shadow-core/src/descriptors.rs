//! A set of file descriptors: the names and types of the messages of gRPC, and of its methods.
//!
//! The caller reads the file; its path is what the configuration has. Bias: a set that lacks a method says nothing
//! about it, and the messages are then compared without names.

use std::{borrow::Cow, fmt, sync::Arc};

use hashbrown::HashMap;
use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// `NO_SIDE_EFFECTS` of `google.protobuf.MethodOptions.idempotency_level`.
const NO_SIDE_EFFECTS: i32 = 1;

/// A file with a set of descriptors, as `protoc --descriptor_set_out` writes it, and its content once it was read.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(from = "String", into = "String")]
pub struct Descriptors {
    path: String,
    types: Option<Arc<Types>>,
}

/// The reason why the content of a file cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "is no usable set of descriptors: {0}; make it with protoc --include_imports --descriptor_set_out=FILE"
)]
pub struct DescriptorsError(String);

#[derive(Debug)]
struct Types {
    digest: blake3::Hash,
    pool: DescriptorPool,
    /// By `package.Service/Method`.
    methods: HashMap<Box<str>, Method>,
}

/// A method of a service.
#[derive(Debug)]
pub(crate) struct Method {
    /// The type of its requests.
    pub(crate) input: MessageDescriptor,
    /// The type of its answers.
    pub(crate) output: MessageDescriptor,
    /// Whether the set says that it has no side effects.
    pub(crate) only_reads: bool,
}

impl Descriptors {
    /// The file.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Takes the content of the file.
    pub fn read(&mut self, content: &[u8]) -> Result<(), DescriptorsError> {
        let said = |error: &dyn fmt::Display| DescriptorsError(error.to_string());
        let pool = DescriptorPool::decode(content).map_err(|error| said(&error))?;
        let methods: HashMap<Box<str>, Method> = pool
            .services()
            .flat_map(|service| service.methods().map(|method| named(&method)).collect::<Vec<_>>())
            .collect();
        if pool.all_messages().next().is_none() {
            return Err(said(&"there is no message in it"));
        }
        self.types = Some(Arc::new(Types {
            digest: blake3::hash(content),
            pool,
            methods,
        }));
        Ok(())
    }

    /// Whether the content of the file is known.
    pub fn is_read(&self) -> bool {
        self.types.is_some()
    }

    /// The method that a request with this target calls, by the last two segments of its path: a gateway may have put
    /// others before them.
    pub(crate) fn method(&self, target: &[u8]) -> Option<&Method> {
        let path = core::str::from_utf8(target.split(|byte| *byte == b'?').next()?).ok()?;
        let (before, method) = path.rsplit_once('/')?;
        let service = before.rsplit('/').next()?;
        let name = path.get(path.len().checked_sub(service.len() + method.len() + 1)?..)?;
        self.types.as_ref()?.methods.get(name)
    }

    /// The method that has exactly this path.
    pub(crate) fn method_at(&self, path: &[u8]) -> Option<&Method> {
        let name = core::str::from_utf8(path.strip_prefix(b"/")?).ok()?;
        self.types.as_ref()?.methods.get(name)
    }

    /// The message with this full name.
    pub(crate) fn message(&self, name: &str) -> Option<MessageDescriptor> {
        self.types.as_ref()?.pool.get_message_by_name(name)
    }
}

fn named(method: &MethodDescriptor) -> (Box<str>, Method) {
    let options = method.method_descriptor_proto().options.as_ref();
    let level = options.and_then(|options| options.idempotency_level);
    let name = format!("{}/{}", method.parent_service().full_name(), method.name());
    let method = Method {
        input: method.input(),
        output: method.output(),
        only_reads: level == Some(NO_SIDE_EFFECTS),
    };
    (name.into(), method)
}

impl From<String> for Descriptors {
    /// A file that is not read yet.
    fn from(path: String) -> Self {
        Self { path, types: None }
    }
}

impl From<Descriptors> for String {
    fn from(from: Descriptors) -> Self {
        from.path
    }
}

impl PartialEq for Descriptors {
    fn eq(&self, other: &Self) -> bool {
        let digest = |of: &Self| of.types.as_ref().map(|types| types.digest);
        self.path == other.path && digest(self) == digest(other)
    }
}

impl Eq for Descriptors {}

impl fmt::Debug for Descriptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Descriptors({:?})", self.path)
    }
}

impl JsonSchema for Descriptors {
    fn schema_name() -> Cow<'static, str> {
        "Descriptors".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
#[path = "descriptors_tests.rs"]
pub(crate) mod tests;
