//! `shadow discover`: the pods of this node that are to be mirrored, for the agent beside it.
//!
//! The only process that talks to the API server: it has a token, and no other privilege. It lists and watches the pods
//! of its own node, and tells the agent the whole set whenever it has changed. Bounds: one watch, answers and lines as
//! in [`api`]. Bias: while the API server is away the last set stays; a pod is named by its UID, and never by its
//! address.

mod api;
mod pods;

use std::{io, path::Path, process::ExitCode, time::Duration};

use http::Uri;
use shadow_proto::request_target::encoded;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    sync::watch,
    time::sleep,
};

use self::{
    api::{Api, ApiError},
    pods::{ApiEvent, ApiList, ApiService, Change, Pods},
};
use crate::{
    capture::namespaces::pods::{Pod, line},
    config::kubernetes::Kubernetes,
    privs,
};

/// The first and the longest pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Seconds after which the API server ends a watch.
const WATCH: u32 = 240;

/// Follows the pods of a node until the process is ended.
pub fn run(config: &Kubernetes, node: &str, api: Option<&Uri>) -> anyhow::Result<ExitCode> {
    privs::for_nothing()?;
    let api = Api::new(api)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (sender, receiver) = watch::channel(None);
    runtime.block_on(async {
        tokio::join!(
            follow(&api, config, node, &sender),
            tell(&config.socket, receiver)
        );
    });
    Ok(ExitCode::SUCCESS)
}

/// Keeps the set of pods up to date.
async fn follow(api: &Api, config: &Kubernetes, node: &str, told: &watch::Sender<Option<Vec<Pod>>>) {
    let mut pods = Pods::default();
    let mut pause = PAUSE;
    loop {
        let mut progress = false;
        let ended = session(api, config, node, &mut pods, told, &mut progress).await;
        if progress {
            pause = PAUSE;
        }
        if let Err(error) = ended {
            tracing::warn!(%error, "the pods of this node are not followed; those that are known stay");
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Lists the pods, and watches them until the watch cannot go on.
async fn session(
    api: &Api,
    config: &Kubernetes,
    node: &str,
    pods: &mut Pods,
    told: &watch::Sender<Option<Vec<Pod>>>,
    progress: &mut bool,
) -> Result<(), ApiError> {
    let namespace = encoded(&config.namespace);
    let selector = match (&config.selector, &config.service) {
        (Some(selector), _) => selector.clone(),
        (None, Some(service)) => {
            let path = format!("/api/v1/namespaces/{namespace}/services/{}", encoded(service));
            let found: ApiService = api.object(&path).await?;
            found
                .selector()
                .ok_or_else(|| ApiError::Settings(format!("the service {service} selects no pods")))?
        }
        (None, None) => String::new(),
    };
    let path = format!(
        "/api/v1/namespaces/{namespace}/pods?fieldSelector={}&labelSelector={}",
        encoded(&format!("spec.nodeName={node}")),
        encoded(&selector)
    );
    pods.list(api.object::<ApiList>(&path).await?);
    *progress = true;
    say(pods, config, told);
    loop {
        let version = encoded(pods.version());
        let watch = format!(
            "{path}&watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH}&resourceVersion={version}"
        );
        let mut lines = api.watch(&watch).await?;
        while let Some(line) = lines.next().await? {
            let wrong = |error: serde_json::Error| ApiError::Content(error.to_string());
            let event: ApiEvent = serde_json::from_slice(&line).map_err(wrong)?;
            match pods.change(event).map_err(wrong)? {
                Change::Pods => say(pods, config, told),
                Change::Version => {}
                Change::Expired(why) => {
                    tracing::info!(why, "the watch has expired, the pods are listed again");
                    return Ok(());
                }
            }
        }
    }
}

fn say(pods: &Pods, config: &Kubernetes, told: &watch::Sender<Option<Vec<Pod>>>) {
    let wanted = Some(pods.wanted(config));
    told.send_if_modified(|last| {
        let news = *last != wanted;
        if news {
            last.clone_from(&wanted);
        }
        news
    });
}

/// Tells the agent the set at each connection, and whenever it changes.
async fn tell(socket: &Path, mut pods: watch::Receiver<Option<Vec<Pod>>>) {
    loop {
        if let Err(error) = told(socket, &mut pods).await {
            tracing::debug!(%error, "the agent is not there");
        }
        sleep(PAUSE).await;
    }
}

async fn told(socket: &Path, pods: &mut watch::Receiver<Option<Vec<Pod>>>) -> io::Result<()> {
    let mut agent = UnixStream::connect(socket).await?;
    tracing::info!("connected to the agent");
    loop {
        let known = pods.borrow_and_update().clone();
        if let Some(known) = known {
            agent.write_all(&line(&known)?).await?;
        }
        let mut nothing = [0];
        tokio::select! {
            changed = pods.changed() => changed.map_err(io::Error::other)?,
            // The agent says nothing; this is its end.
            _ = agent.read(&mut nothing) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_selector_gets_out_of_its_place() {
        assert_eq!(
            encoded("app in (a,b),x!=y&watch=1"),
            "app%20in%20%28a%2Cb%29%2Cx%21%3Dy%26watch%3D1"
        );
        assert_eq!(encoded("../x"), "..%2Fx");
    }
}
