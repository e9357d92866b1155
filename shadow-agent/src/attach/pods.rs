//! The network namespace of a pod of this node, by the pod's UID in the cgroup of its processes.
//!
//! Bounds: the processes of the node are looked through once in [`AGAIN`], however many pods are asked for.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long it takes at least until the processes are looked through again.
const AGAIN: Duration = Duration::from_millis(700);

/// The pods of which processes were found.
#[derive(Debug)]
pub(super) struct Pods {
    proc: PathBuf,
    looked: Option<Instant>,
    /// The oldest process of each.
    oldest: BTreeMap<String, u32>,
}

impl Pods {
    /// From the processes in this folder, `/proc`.
    pub(super) fn new(proc: &Path) -> Self {
        Self {
            proc: proc.to_owned(),
            looked: None,
            oldest: BTreeMap::new(),
        }
    }

    /// Opens the namespace of the pod's oldest process.
    pub(super) fn open(&mut self, uid: &str) -> io::Result<File> {
        if !is_uid(uid) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "that is no UID of a pod",
            ));
        }
        if let Some(file) = self.known(uid) {
            return Ok(file);
        }
        if self.looked.is_none_or(|then| then.elapsed() >= AGAIN) {
            self.look()?;
        }
        self.known(uid).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn known(&self, uid: &str) -> Option<File> {
        let process = self.proc.join(self.oldest.get(uid)?.to_string());
        let file = File::open(process.join("ns/net")).ok()?;
        // The process may have ended before, and another one may have its number.
        (pod_of(&process)? == uid).then_some(file)
    }

    fn look(&mut self) -> io::Result<()> {
        self.looked = Some(Instant::now());
        self.oldest.clear();
        for entry in fs::read_dir(&self.proc)? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if let Some(uid) = pod_of(&self.proc.join(u32::to_string(&pid))) {
                let oldest = self.oldest.entry(uid).or_insert(pid);
                *oldest = pid.min(*oldest);
            }
        }
        Ok(())
    }
}

/// The UIDs that are meant by a UID, or by the `NAMESPACE/NAME` of a pod: `logs` is the folder in which the kubelet
/// keeps the logs of each as `NAMESPACE_NAME_UID`, also of pods that have ended.
pub(super) fn uids(pod: &str, logs: &Path) -> io::Result<Vec<String>> {
    let Some((namespace, name)) = pod.split_once('/') else {
        return Ok(vec![pod.to_owned()]);
    };
    let start = format!("{namespace}_{name}_");
    let mut uids = Vec::new();
    for entry in fs::read_dir(logs)? {
        let name = entry?.file_name();
        let uid = name.to_str().and_then(|name| name.strip_prefix(&start));
        uids.extend(uid.filter(|uid| is_uid(uid)).map(str::to_owned));
    }
    Ok(uids)
}

/// As the API server makes them (RFC 9562). Pods of a kubelet's own files have a hash in its place.
fn is_uid(uid: &str) -> bool {
    let hexadecimal = uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    hexadecimal && (32..=36).contains(&uid.len())
}

/// The pod in whose cgroup a process is. The kubelet names it `podUID`, with systemd
/// `kubepods-burstable-podUID.slice` and `_` in place of `-`.
fn pod_of(process: &Path) -> Option<String> {
    let cgroups = fs::read_to_string(process.join("cgroup")).ok()?;
    let uid = |part: &str| {
        let uid = match part.strip_suffix(".slice") {
            Some(slice) => slice.rsplit_once("-pod")?.1.replace('_', "-"),
            None => part.strip_prefix("pod")?.to_owned(),
        };
        is_uid(&uid).then_some(uid)
    };
    cgroups.lines().flat_map(|line| line.split('/')).find_map(uid)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    const UID: &str = "0e2b67a4-6e7a-4a0b-9f39-2f0f7f9d6b11";

    fn process(proc: &Path, pid: u32, cgroup: &str) {
        let process = proc.join(pid.to_string());
        fs::create_dir_all(process.join("ns")).expect("a folder");
        fs::write(process.join("cgroup"), cgroup).expect("a file");
        fs::write(process.join("ns/net"), pid.to_string()).expect("a file");
    }

    #[test]
    fn the_oldest_process_of_the_pod_is_found_whatever_the_cgroup_driver() {
        let other = UID.replace('0', "1");
        let slice = UID.replace('-', "_");
        for cgroup in [
            format!("0::/kubepods/burstable/pod{UID}/6d1f"),
            format!("12:cpu:/x\n3:pids:/kubepods/pod{UID}/6d1f\n"),
            format!(
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice}.slice/cri-6d1f.scope"
            ),
            // In a cgroup namespace of its own, paths are relative.
            format!("0::/../../pod{UID}/6d1f"),
        ] {
            let proc = tempfile::tempdir().expect("a folder");
            process(proc.path(), 1, "0::/init.scope");
            process(proc.path(), 400, &cgroup);
            process(proc.path(), 90, &cgroup);
            process(
                proc.path(),
                80,
                &cgroup.replace(UID, &other).replace(&slice, &other),
            );
            // A container that is named like a pod.
            process(proc.path(), 70, &format!("0::/kubepods/x-pod{UID}-y"));
            let mut text = String::new();
            let mut file = Pods::new(proc.path())
                .open(UID)
                .expect("the namespace of the pod");
            file.read_to_string(&mut text).expect("a number");
            assert_eq!(text, "90", "{cgroup}");
        }
    }

    #[test]
    fn a_process_number_that_another_process_has_is_not_the_pods() {
        let proc = tempfile::tempdir().expect("a folder");
        let cgroup = format!("0::/kubepods/pod{UID}/6d1f");
        process(proc.path(), 90, &cgroup);
        let mut pods = Pods::new(proc.path());
        pods.open(UID).expect("the namespace of the pod");
        fs::write(proc.path().join("90/cgroup"), "0::/system.slice").expect("a file");
        assert_eq!(
            pods.open(UID).expect_err("no pod").kind(),
            io::ErrorKind::NotFound
        );
        // Found again once the processes may be looked through again.
        process(proc.path(), 91, &cgroup);
        pods.looked = None;
        pods.open(UID).expect("the namespace of the pod");
    }

    #[test]
    fn a_name_stands_for_the_pods_that_have_had_it() {
        let logs = tempfile::tempdir().expect("a folder");
        let other = UID.replace('0', "1");
        for name in [
            format!("shop_web-0_{UID}"),
            format!("shop_web-0_{other}"),
            format!("shop_web_{UID}"),
            "shop_web-0_x".to_owned(),
        ] {
            fs::create_dir(logs.path().join(name)).expect("a folder");
        }
        let mut found = uids("shop/web-0", logs.path()).expect("a folder");
        found.sort();
        assert_eq!(found, [UID, &other]);
        assert!(uids("shop/db-0", logs.path()).expect("a folder").is_empty());
        assert_eq!(uids(UID, Path::new("/none")).expect("no look"), [UID]);
    }

    #[test]
    fn a_path_in_place_of_a_uid_is_refused() {
        let proc = tempfile::tempdir().expect("a folder");
        for uid in ["", "../../../etc/passwd/../../..//////////", "%", &"a".repeat(37)] {
            let error = Pods::new(proc.path()).open(uid).expect_err("no pod");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{uid}");
        }
        assert_eq!(
            Pods::new(proc.path()).open(UID).expect_err("no pod").kind(),
            io::ErrorKind::NotFound
        );
    }
}
