//! `shadow discover`: the pods of this node that are to be mirrored, for the agent beside it.
//!
//! The only process that talks to the API server: it has a token, and no other privilege. It lists and watches the
//! pods of its own node, and tells the agent the whole set whenever it has changed. Which pods, the configuration says,
//! or the `ShadowTest` in force ([`in_force`]), whose status it writes ([`status`]). It also watches the kill switch of
//! the cluster ([`switch`]). Bounds: three watches, answers and lines as in [`api`]. Bias: while the API server is away
//! the last set stays; a pod is named by its UID, and never by its address; no pod is named before the kill switch is
//! known.

mod api;
mod conditions;
mod in_force;
mod objects;
mod pods;
mod status;
mod switch;

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
    objects::{ApiEvent, ApiList, ApiObject, Change, Objects},
    pods::{ApiService, Pods},
    switch::{ApiConfigMap, Switch},
};
use crate::{
    capture::namespaces::pods::{PodSet, line},
    config::{Config, kubernetes::Kubernetes},
    privs,
};

/// The first and the longest pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause of the kill switch's watch, which must not be missed.
const LONGEST_PAUSE_OF_SWITCH: Duration = Duration::from_secs(3);

/// Seconds after which the API server ends a watch.
const WATCH: u32 = 240;

/// The pods that are to be followed.
#[derive(Clone, Debug, PartialEq)]
struct Chosen {
    /// The test that chose them; empty where the configuration did.
    test: String,
    /// `None` while nothing is to be mirrored.
    pods: Option<Kubernetes>,
}

/// Follows the pods of a node, and the kill switch, until the process is ended.
pub fn run(
    config: &Config,
    kubernetes: &Kubernetes,
    node: &str,
    api: Option<&Uri>,
) -> anyhow::Result<ExitCode> {
    privs::for_nothing()?;
    let api = Api::new(api)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let agent = &config.agent;
    let (sender, receiver) = watch::channel(None);
    let switch = kubernetes.kill_switch().zip(agent.kill_file.clone());
    let (known, is_known) = watch::channel(switch.is_none());
    let by_configuration = config.tests().is_none().then(|| Chosen {
        test: String::new(),
        pods: Some(kubernetes.clone()),
    });
    let (choose, chosen) = watch::channel(by_configuration);
    runtime.block_on(async {
        tokio::join!(
            follow_pods(&api, node, is_known, chosen, &sender),
            send_pods(&kubernetes.socket, receiver),
            async {
                if config.tests().is_some() {
                    Box::pin(in_force::follow(&api, config, kubernetes, node, &choose)).await;
                }
            },
            async {
                if let Some((place, file)) = switch {
                    let control = agent.socket.clone();
                    follow_switch(&api, place, Switch { file, control }, &known).await;
                }
            },
        );
    });
    Ok(ExitCode::SUCCESS)
}

/// Keeps the set of pods up to date, once the kill switch is known.
async fn follow_pods(
    api: &Api,
    node: &str,
    mut is_known: watch::Receiver<bool>,
    mut chosen: watch::Receiver<Option<Chosen>>,
    set: &watch::Sender<Option<PodSet>>,
) {
    if is_known.wait_for(|known| *known).await.is_err() {
        return;
    }
    loop {
        let now = chosen.borrow_and_update().clone();
        tokio::select! {
            () = follow_chosen(api, node, now, set) => {}
            changed = chosen.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

/// Keeps the set of these pods up to date.
async fn follow_chosen(api: &Api, node: &str, chosen: Option<Chosen>, set: &watch::Sender<Option<PodSet>>) {
    let Some(Chosen { test, pods }) = chosen else {
        return std::future::pending().await;
    };
    let is_of_another = set.borrow().as_ref().is_some_and(|set| set.test != test);
    if pods.is_none() || is_of_another {
        let pods = Vec::new();
        publish(
            set,
            PodSet {
                test: test.clone(),
                pods,
            },
        );
    }
    let Some(config) = pods else {
        return std::future::pending().await;
    };
    let mut pods = Pods::default();
    let mut pauses = Pauses::new(LONGEST_PAUSE);
    loop {
        let ended = async {
            let path = pods_of(api, &config, node).await?;
            let news = |pods: &Pods| {
                let (test, pods) = (test.clone(), pods.wanted(&config));
                publish(set, PodSet { test, pods });
            };
            watched(api, &path, &mut pods, &mut pauses, news).await
        };
        if let Err(error) = ended.await {
            tracing::warn!(%error, "the pods of this node are not followed; those that are known stay");
            pauses.pause().await;
        }
    }
}

/// Keeps the kill switch as the ConfigMap says.
async fn follow_switch(api: &Api, place: (&str, &str), switch: Switch, known: &watch::Sender<bool>) {
    let (namespace, name) = (encoded(place.0), encoded(&format!("metadata.name={}", place.1)));
    let path = format!("/api/v1/namespaces/{namespace}/configmaps?fieldSelector={name}");
    let (sender, receiver) = watch::channel(None);
    let follow = async {
        let mut maps = Objects::default();
        let mut pauses = Pauses::new(LONGEST_PAUSE_OF_SWITCH);
        loop {
            let news = |maps: &Objects<ApiConfigMap>| publish(&sender, maps.wanted());
            if let Err(error) = watched(api, &path, &mut maps, &mut pauses, news).await {
                tracing::warn!(%error, "the cluster's kill switch is not followed; it stays as it was");
                pauses.pause().await;
            }
        }
    };
    tokio::join!(follow, switch.obey(receiver, known));
}

/// Pauses after failures, each twice as long as the one before.
struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    const fn new(longest: Duration) -> Self {
        Self { next: PAUSE, longest }
    }

    async fn pause(&mut self) {
        sleep(self.next).await;
        self.next = (self.next * 2).min(self.longest);
    }
}

/// The path of the pods of this node that match.
async fn pods_of(api: &Api, config: &Kubernetes, node: &str) -> Result<String, ApiError> {
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
    Ok(format!(
        "/api/v1/namespaces/{namespace}/pods?fieldSelector={}&labelSelector={}",
        encoded(&format!("spec.nodeName={node}")),
        encoded(&selector)
    ))
}

/// Lists objects, and watches them until the watch cannot go on.
async fn watched<T: ApiObject>(
    api: &Api,
    path: &str,
    objects: &mut Objects<T>,
    pauses: &mut Pauses,
    news: impl Fn(&Objects<T>),
) -> Result<(), ApiError> {
    objects.list(api.object::<ApiList<T>>(path).await?);
    pauses.next = PAUSE;
    news(objects);
    loop {
        let version = encoded(objects.version());
        let watch = format!(
            "{path}&watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH}&resourceVersion={version}"
        );
        let mut lines = api.watch(&watch).await?;
        while let Some(line) = lines.next().await? {
            let wrong = |error: serde_json::Error| ApiError::Content(error.to_string());
            let event: ApiEvent = serde_json::from_slice(&line).map_err(wrong)?;
            match objects.change(event).map_err(wrong)? {
                Change::Objects => news(objects),
                Change::Version => {}
                Change::Expired(why) => {
                    tracing::info!(why, "a watch has expired, everything is listed again");
                    return Ok(());
                }
            }
        }
    }
}

fn publish<T: PartialEq>(to: &watch::Sender<Option<T>>, now: T) {
    let now = Some(now);
    to.send_if_modified(|last| {
        let is_news = *last != now;
        if is_news {
            *last = now;
        }
        is_news
    });
}

/// Sends the agent the set at each connection, and whenever it changes.
async fn send_pods(socket: &Path, mut pods: watch::Receiver<Option<PodSet>>) {
    loop {
        if let Err(error) = send_sets(socket, &mut pods).await {
            tracing::debug!(%error, "the agent is not there");
        }
        sleep(PAUSE).await;
    }
}

/// Sends the set until the agent ends.
async fn send_sets(socket: &Path, pods: &mut watch::Receiver<Option<PodSet>>) -> io::Result<()> {
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
