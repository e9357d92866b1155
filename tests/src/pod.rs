//! A process of a pod, as far as the agent looks: in a cgroup that is named as a kubelet does.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
};

use crate::netns::Netns;

/// A process that does nothing, in the cgroup of a pod. Dropping it ends both.
#[derive(Debug)]
pub struct PodProcess {
    cgroup: PathBuf,
    process: Child,
}

impl PodProcess {
    /// Starts it for the pod with this UID in the pod's network.
    pub fn start(network: &Netns, uid: &str) -> Self {
        let hierarchies = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
        let hierarchy = hierarchies
            .into_iter()
            .find(|at| at.join("cgroup.procs").exists());
        let cgroup = hierarchy
            .expect("a hierarchy of cgroups")
            .join(format!("pod{uid}"));
        fs::create_dir(&cgroup).expect("a cgroup");
        let process = network
            .run(|| Command::new("sleep").arg("120").spawn())
            .expect("sleep starts");
        fs::write(cgroup.join("cgroup.procs"), process.id().to_string()).expect("a member");
        Self { cgroup, process }
    }
}

impl Drop for PodProcess {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        drop(fs::remove_dir(&self.cgroup));
    }
}
