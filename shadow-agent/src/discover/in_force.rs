//! The `ShadowTest` in force: the oldest one that can work, for every node the same.
//!
//! An agent runs one test at a time. A younger one is in `Conflict`, whoever wrote it. Discovery writes the test in
//! force to a file, from which the agent's container starts an agent for it, and follows its pods.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::Value;
use shadow_proto::request_target::encoded;
use tokio::{sync::watch, time::sleep};

use super::{
    Chosen, LONGEST_PAUSE_OF_SWITCH, Pauses,
    api::{Api, ApiError},
    objects::{ApiObject, Metadata, Objects},
    pods::ApiService,
    status, switch, watched,
};
use crate::{
    config::{
        Config,
        crd::{GROUP, PLURAL, VERSION},
        kubernetes::Kubernetes,
        place::{ShadowUrl, UrlError},
        shadow_test::{TestOrder, TestSpec},
        test_status::{Degraded, DegradedReason, TestStatus},
    },
    supervise,
};

/// How long the address of a Service is taken for granted, and how soon one that is missing is looked for again.
const FRESH: Duration = Duration::from_mins(1);
const AGAIN: Duration = Duration::from_secs(5);

/// A test, as the API server describes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ApiTest {
    metadata: Metadata,
    spec: Value,
    status: Value,
}

impl ApiObject for ApiTest {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

/// The use that is made of a test.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Standing {
    /// It is the one that is run.
    InForce(Box<TestSpec>),
    /// Nothing is captured for it.
    Wrong(Degraded),
}

/// A test with its standing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) generation: u64,
    pub(super) standing: Standing,
    pub(super) status: TestStatus,
}

impl Judged {
    /// Its name with its namespace.
    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The path of the object.
    pub(super) fn path(&self) -> String {
        let (namespace, name) = (encoded(&self.namespace), encoded(&self.name));
        format!("/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}/{name}")
    }
}

/// Every test, the oldest first: the first that can work is in force.
pub(super) fn judge<'t>(tests: impl Iterator<Item = &'t ApiTest>, base: &Config) -> Vec<Judged> {
    let mut tests: Vec<&ApiTest> = tests.collect();
    tests.sort_by_key(|test| {
        let of = &test.metadata;
        (&of.creation_timestamp, &of.namespace, &of.name)
    });
    let mut in_force: Option<String> = None;
    let mut judged = Vec::new();
    for test in tests {
        let of = &test.metadata;
        let standing = match (can_work(test, base), &in_force) {
            (Err(degraded), _) => Standing::Wrong(degraded),
            (Ok(_), Some(first)) => {
                let message = format!("{first} is older, and an agent runs one test at a time");
                Standing::Wrong(Degraded::new(DegradedReason::Conflict, message))
            }
            (Ok(spec), None) => {
                in_force = Some(format!("{}/{}", of.namespace, of.name));
                Standing::InForce(Box::new(spec))
            }
        };
        judged.push(Judged {
            namespace: of.namespace.clone(),
            name: of.name.clone(),
            uid: of.uid.clone(),
            generation: of.generation,
            standing,
            status: TestStatus::deserialize(&test.status).unwrap_or_default(),
        });
    }
    judged
}

fn can_work(test: &ApiTest, base: &Config) -> Result<TestSpec, Degraded> {
    let namespace = &test.metadata.namespace;
    let Some(policy) = base.tests().filter(|policy| policy.allows(namespace)) else {
        let message = format!("the agents take no tests from the namespace {namespace}");
        return Err(Degraded::new(DegradedReason::NotAllowed, message));
    };
    let invalid = |why: String| Degraded::new(DegradedReason::Invalid, why);
    let spec = TestSpec::read(&test.spec).map_err(invalid)?;
    if let Some(why) = spec.problem(namespace, base) {
        return Err(invalid(why));
    }
    match spec.forbidden(policy) {
        Some(why) => Err(Degraded::new(DegradedReason::NotAllowed, why)),
        None => Ok(spec),
    }
}

/// Follows the tests, chooses the pods of the one in force, and writes the status of each.
pub(super) async fn follow(
    api: &Api,
    config: &Config,
    kubernetes: &Kubernetes,
    node: &str,
    choose: &watch::Sender<Option<Chosen>>,
) {
    let (tests, seen) = watch::channel(None);
    let (judge, judged) = watch::channel(Arc::default());
    let put = InForce {
        api,
        kubernetes,
        choose,
        address: None,
        order: None,
    };
    tokio::join!(
        watch_tests(api, config, &tests),
        put.run(seen, &judge),
        status::tell(api, node, kubernetes, judged),
    );
}

async fn watch_tests(api: &Api, config: &Config, tests: &watch::Sender<Option<Arc<Vec<Judged>>>>) {
    let path = format!("/apis/{GROUP}/{VERSION}/{PLURAL}?limit=0");
    let mut all = Objects::<ApiTest>::default();
    let mut pauses = Pauses::new(LONGEST_PAUSE_OF_SWITCH);
    loop {
        let news = |all: &Objects<ApiTest>| {
            tests.send_replace(Some(Arc::new(judge(all.all(), config))));
        };
        if let Err(error) = watched(api, &path, &mut all, &mut pauses, news).await {
            tracing::warn!(%error, "the tests are not followed; the one in force stays");
            pauses.pause().await;
        }
    }
}

/// The address of the shadow system of a test, when it was found, and for what.
struct Address {
    of: (String, TestSpec),
    found: Result<ShadowUrl, String>,
    at: Instant,
}

/// Puts the test in force.
struct InForce<'a> {
    api: &'a Api,
    kubernetes: &'a Kubernetes,
    choose: &'a watch::Sender<Option<Chosen>>,
    address: Option<Address>,
    /// As it was written last.
    order: Option<TestOrder>,
}

impl InForce<'_> {
    async fn run(
        mut self,
        mut tests: watch::Receiver<Option<Arc<Vec<Judged>>>>,
        judged: &watch::Sender<Arc<Vec<Judged>>>,
    ) {
        // An agent continues with the test that it had, until the tests are known.
        self.order = supervise::read_order(self.kubernetes).ok().flatten();
        loop {
            let all = tests.borrow_and_update().clone();
            if let Some(all) = all {
                let mut all = Arc::unwrap_or_clone(all);
                self.put(&mut all).await;
                judged.send_replace(Arc::new(all));
            }
            tokio::select! {
                changed = tests.changed() => if changed.is_err() {
                    return;
                },
                () = sleep(AGAIN) => {}
            }
        }
    }

    /// Puts the first that can work in force; its standing changes when the shadow system is not known.
    async fn put(&mut self, all: &mut [Judged]) {
        let found = all.iter_mut().find_map(|test| match &test.standing {
            Standing::InForce(spec) => Some(((**spec).clone(), test)),
            Standing::Wrong(_) => None,
        });
        let Some((spec, test)) = found else {
            self.write(None);
            self.choose(None);
            return;
        };
        let former = self.order.clone().filter(|order| order.uid == test.uid);
        if spec.suspend || former.is_none() {
            // At once, however long the API server takes for the Service.
            self.choose(None);
        }
        // The API server may be away.
        let kept = former.filter(|order| order.spec.shadow == spec.shadow);
        let url = match (self.url(test, &spec).await, kept) {
            (Ok(url), _) => url,
            (Err(_), Some(order)) => order.url,
            (Err(why), None) => {
                test.standing = Standing::Wrong(Degraded::new(DegradedReason::ShadowUnknown, why));
                self.write(None);
                self.choose(None);
                return;
            }
        };
        let order = TestOrder {
            name: test.full_name(),
            uid: test.uid.clone(),
            url,
            spec,
        };
        let pods = (!order.spec.suspend).then(|| order.spec.pods(&test.namespace, self.kubernetes));
        if self.write(Some(order)) {
            self.choose(pods);
        }
    }

    fn choose(&self, pods: Option<Kubernetes>) {
        let test = self.order.as_ref().map(TestOrder::id).unwrap_or_default();
        super::publish(self.choose, Chosen { test, pods });
    }

    /// Writes the file for the agent's container; whether it says so now.
    fn write(&mut self, order: Option<TestOrder>) -> bool {
        let file = supervise::order_file(self.kubernetes);
        let is_written = file.exists();
        if self.order == order && order.is_some() == is_written {
            return true;
        }
        let written = match &order {
            Some(order) => serde_json::to_string(order)
                .map_err(std::io::Error::from)
                .and_then(|text| switch::replace(&file, &text)),
            None if is_written => std::fs::remove_file(&file),
            None => Ok(()),
        };
        match written {
            Ok(()) => {
                let name = order.as_ref().map_or("none", |order| &order.name);
                tracing::info!(test = name, "the test in force");
                self.order = order;
                true
            }
            Err(error) => {
                tracing::error!(%error, file = %file.display(), "the test in force cannot be passed on");
                false
            }
        }
    }

    /// Where the shadow system of a test is.
    async fn url(&mut self, test: &Judged, spec: &TestSpec) -> Result<ShadowUrl, String> {
        if let Some(url) = &spec.shadow.url {
            return Ok(url.clone());
        }
        let of = (test.namespace.clone(), spec.clone());
        if let Some(known) = self.address.as_ref().filter(|known| known.of.0 == of.0) {
            let is_fresh = match known.found {
                Ok(_) => known.at.elapsed() < FRESH,
                Err(_) => known.at.elapsed() < AGAIN,
            };
            if is_fresh && known.of.1.shadow == spec.shadow {
                return known.found.clone();
            }
        }
        let found = self.service(&test.namespace, spec).await;
        self.address = Some(Address {
            of,
            found: found.clone(),
            at: Instant::now(),
        });
        found
    }

    async fn service(&self, namespace: &str, spec: &TestSpec) -> Result<ShadowUrl, String> {
        let name = spec.shadow.service.as_deref().unwrap_or_default();
        let port = spec.shadow.port.unwrap_or_default();
        let path = format!(
            "/api/v1/namespaces/{}/services/{}",
            encoded(namespace),
            encoded(name)
        );
        let found: Result<ApiService, ApiError> = self.api.object(&path).await;
        let host = match found {
            Err(error) => return Err(format!("the service {namespace}/{name} is not known: {error}")),
            Ok(service) => match service.address() {
                Some(std::net::IpAddr::V6(ip)) => format!("[{ip}]"),
                Some(ip) => ip.to_string(),
                // Without an address of its own its name leads to the pods.
                None => format!("{name}.{namespace}.svc"),
            },
        };
        let url = format!("http://{host}:{port}").parse();
        url.map_err(|error: UrlError| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn test(namespace: &str, name: &str, created: &str, spec: &Value) -> ApiTest {
        let object = json!({
            "metadata": {"uid": format!("uid-{name}"), "name": name, "namespace": namespace, "resourceVersion": "1",
                "generation": 3, "creationTimestamp": created},
            "spec": spec,
        });
        serde_json::from_value(object).expect("a test")
    }

    fn works() -> Value {
        json!({"selector": "app=shop", "shadow": {"url": "http://10.0.0.9:80"}})
    }

    fn base(policy: &str) -> Config {
        let text = format!("capture: {{kubernetes: {{tests: {policy}}}}}\n");
        Config::parse(Path::new("x"), &text).expect("parses")
    }

    /// Names with what becomes of them, in the order of age.
    fn standings(tests: &[ApiTest], policy: &str) -> Vec<(String, Option<DegradedReason>)> {
        let judged = judge(tests.iter(), &base(policy)).into_iter();
        let of = |judged: Judged| match judged.standing {
            Standing::InForce(_) => (judged.name, None),
            Standing::Wrong(degraded) => (judged.name, Some(degraded.reason)),
        };
        judged.map(of).collect()
    }

    #[test]
    fn the_oldest_that_can_work_is_in_force_on_every_node() {
        let [first, second] = ["2026-11-30T10:00:00Z", "2026-11-30T11:00:00Z"];
        let mut tests = vec![
            test("shop", "young", second, &works()),
            test("pay", "broken", first, &json!({"shadow": {}})),
            test("shop", "old", first, &works()),
        ];
        let found = |name: &str, reason: Option<DegradedReason>| (name.to_owned(), reason);
        let expected = [
            found("broken", Some(DegradedReason::Invalid)),
            found("old", None),
            found("young", Some(DegradedReason::Conflict)),
        ];
        assert_eq!(standings(&tests, "{}"), expected);
        tests.reverse();
        assert_eq!(
            standings(&tests, "{}"),
            expected,
            "whatever the order in which they are listed"
        );
        tests.retain(|test| test.metadata.name != "old");
        assert_eq!(
            standings(&tests, "{}")[1],
            found("young", None),
            "it takes the place"
        );
    }

    #[test]
    fn the_policy_decides_whose_tests_count() {
        let mut spec = works();
        spec["sample"] = json!("10%");
        let tests = [test("shop", "a", "2026-11-30T10:00:00Z", &spec)];
        let reason = |policy: &str| standings(&tests, policy)[0].1;
        assert_eq!(reason("{namespaces: [shop]}"), None);
        assert_eq!(reason("{namespaces: [pay]}"), Some(DegradedReason::NotAllowed));
        assert_eq!(reason("{most_sample: 5%}"), Some(DegradedReason::NotAllowed));
    }
}
