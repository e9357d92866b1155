//! Identity of the peer: users and groups by number and name, from the host's own files.
//!
//! Users of a directory service are shown by number only, and their groups are those that the kernel knows of their
//! process, so nothing here uses the network.

use std::fs;

/// `root (uid 0)`, or `uid 1000` for a user that `/etc/passwd` does not know.
pub fn user(uid: u32) -> String {
    match named("/etc/passwd", uid) {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

/// The number of a group, given by name or by number.
pub fn group(given: &str) -> Option<u32> {
    if let Ok(gid) = given.parse() {
        return Some(gid);
    }
    let text = fs::read_to_string("/etc/group").ok()?;
    let (_, gid) = entries(&text).find(|(name, _)| *name == given)?;
    Some(gid)
}

/// Whether a process is in a group, by its primary group or by a supplementary one (`Groups` in `proc_pid_status(5)`).
pub fn is_member(pid: i32, first: u32, wanted: u32) -> bool {
    first == wanted
        || fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| {
            status
                .lines()
                .find_map(|line| line.strip_prefix("Groups:"))
                .is_some_and(|groups| {
                    groups
                        .split_ascii_whitespace()
                        .any(|gid| gid.parse() == Ok(wanted))
                })
        })
}

fn named(file: &str, id: u32) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (name, _) = entries(&text).find(|(_, found)| *found == id)?;
    Some(name.to_owned())
}

/// Name and number of each line of passwd(5) or group(5).
fn entries(text: &str) -> impl Iterator<Item = (&str, u32)> {
    text.lines().filter_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        Some((name, parts.nth(1)?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_have_names_where_the_host_knows_them() {
        assert_eq!(user(0), "root (uid 0)");
        assert_eq!(user(4_000_000_000), "uid 4000000000");
        assert_eq!((group("root"), group("12345")), (Some(0), Some(12_345)));
        assert_eq!(group("no such group"), None);
        let own = rustix::process::getegid().as_raw();
        let pid = i32::try_from(std::process::id()).expect("fits");
        assert!(is_member(pid, own, own));
        assert!(!is_member(pid, own, 4_000_000_000));
    }
}
