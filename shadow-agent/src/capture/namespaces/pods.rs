//! The pods that discovery tells the agent of, as one line of JSON each time anything has changed.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, Read as _},
};

use serde::{Deserialize, Serialize};

use super::{Namespace, WantedNamespace};

/// The longest line: some thousand pods.
pub const LINE: u64 = 1 << 20;

/// A pod to be mirrored.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Pod {
    /// `NAMESPACE/NAME`, for people.
    pub name: String,
    /// Its identity.
    pub uid: String,
    /// It has the network of the node.
    pub host_network: bool,
    /// Its ports.
    pub ports: BTreeSet<u16>,
}

impl Pod {
    /// Its network, to be attached to.
    pub fn wanted(&self, interfaces: &[String]) -> WantedNamespace {
        WantedNamespace {
            name: self.name.clone(),
            namespace: Namespace::Pod(self.uid.clone()),
            interfaces: interfaces.to_vec(),
        }
    }
}

/// The whole set of pods to be mirrored.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct PodSet {
    /// The test that chose them; empty where the configuration did.
    pub test: String,
    /// The pods.
    pub pods: Vec<Pod>,
}

/// The next line; `None` at the end.
pub fn read(from: &mut impl BufRead) -> io::Result<Option<PodSet>> {
    let mut line = String::new();
    let read = from.take(LINE).read_line(&mut line)?;
    if read == 0 {
        return Ok(None);
    }
    if !line.ends_with('\n') {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Some(serde_json::from_str(&line)?))
}

/// The line for these pods.
pub fn line(set: &PodSet) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(set)?;
    line.push(b'\n');
    if line.len() as u64 > LINE {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "more pods than one line can name",
        ));
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let pod = |name: &str| Pod {
            name: name.to_owned(),
            uid: "u".to_owned(),
            host_network: false,
            ports: BTreeSet::from([80]),
        };
        let all = PodSet {
            test: "u".to_owned(),
            pods: vec![pod("a"), pod("b")],
        };
        let none = PodSet::default();
        let bytes = [line(&all).expect("a line"), line(&none).expect("a line")].concat();
        let mut from = bytes.as_slice();
        assert_eq!(read(&mut from).expect("a line"), Some(all));
        assert_eq!(read(&mut from).expect("a line"), Some(none));
        assert_eq!(read(&mut from).expect("the end"), None);
        assert!(read(&mut b"[".as_slice()).is_err());
        let many = PodSet {
            test: String::new(),
            pods: vec![pod(&"n".repeat(1000)); 2000],
        };
        assert!(line(&many).is_err());
    }
}
