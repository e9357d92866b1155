//! Only mismatches, each different from all others: everything is counted, and nothing grows without bound.

use std::{thread, time::Duration};

use shadow_tests::{client::Connection, laws::assert_laws, need, scene::Scene, servers::Server, storm};

use super::plan;

#[test]
fn a_storm_of_mismatches_is_counted_and_bounded() {
    const CLIENTS: u64 = 4;
    /// Requests of each client.
    const VISITS: u64 = 500;
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = Server::start(&scene.lab.shadow, Scene::shadow(), storm::behaviour());
    let text = format!(
        "shadow: {{url: 'http://{}', queue: 4096, max_wait: 30s}}\njournal: {{max_size: 32MiB}}\nbudget: {{cores: 0, ring_loss: 0%, ring_used: 0%}}\ntrips: {{budget: null}}\n",
        Scene::shadow()
    );
    let mut agent = plan(&scene, &text).start(&scene.lab.server);
    let visit = |client: u64| {
        scene.lab.client.run(|| {
            let mut connection = Connection::open(Scene::production()).unwrap();
            for visit in 0..VISITS {
                let number = visit * CLIENTS + client;
                let target = storm::TARGET.replace("{n}", &number.to_string());
                connection.get(&target, "").unwrap();
                // An agent without optimisation must keep up on a busy machine.
                thread::sleep(Duration::from_millis(2));
            }
        });
    };
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || visit(client));
        }
    });
    let visits = CLIENTS * VISITS;
    let report = agent.settled(visits);
    assert_laws(&report);
    let funnel = &report.funnel;
    println!(
        "{visits} visits, {} differ, {} groups, {} MiB at most",
        funnel.mismatched,
        report.groups.len(),
        agent.process.peak_rss() >> 20
    );
    assert_eq!(funnel.exchanges, visits, "{funnel:#?}");
    assert_eq!(funnel.mismatched, funnel.replayed, "{funnel:#?}");
    // More groups than the limit allows.
    assert!(funnel.mismatched > 1_100, "this is no storm: {funnel:#?}");
    assert!(report.groups.len() <= 1_024, "{} groups", report.groups.len());
    assert!(
        agent.process.peak_rss() < 512 << 20,
        "{}",
        agent.process.peak_rss()
    );
    let journal = &agent.status()["journal"];
    let bytes = journal["bytes"].as_u64().unwrap();
    assert!(bytes > 0 && bytes <= 32 << 20, "{journal}");
    assert!(journal["failing"].is_null(), "{journal}");
    assert_laws(&agent.stop());
}
