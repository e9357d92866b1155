//! The agent lowers its sample by itself, and raises it again.

use std::time::Duration;

use shadow_tests::{need, process::wait_until, scene::Scene};

use super::{plan, same, visited};

#[test]
fn an_agent_that_costs_too_much_lowers_its_sample_and_raises_it_again() {
    need!(Root, Program("nginx"));
    let scene = Scene::new();
    let _shadow = same(&scene, 80);
    let text = format!(
        "capture: {{sample: 80%}}\nshadow:\n  url: http://{}\nbudget: {{cores: 0.1, calm: 1s, floor: 20%}}\ntrips: {{budget: null}}\n",
        Scene::shadow()
    );
    let mut agent = plan(&scene, &text).start(&scene.lab.server);
    let sample = |agent: &shadow_tests::agent::Agent| agent.status()["sample"].as_f64().unwrap();
    assert!((sample(&agent) - 0.8).abs() < 1e-6);
    let (lowest, _) = visited(&scene, Duration::ZERO, || {
        wait_until("the sample is lowered", Duration::from_secs(15), || {
            sample(&agent) < 0.79
        });
        sample(&agent)
    });
    assert!(lowest >= 0.8 * 0.2 - 1e-6, "{lowest}");
    let status = agent.status();
    let why = status["trips"][0]["reason"].as_str().unwrap();
    assert!(why.contains("CPU time is over the budget"), "{why}");
    let mut highest = 0.0f64;
    wait_until("the sample is raised again", Duration::from_secs(40), || {
        std::thread::sleep(Duration::from_millis(500));
        highest = highest.max(sample(&agent));
        highest > 0.79
    });
    assert!(highest < 0.8 + 1e-6, "never above what was set: {highest}");
    agent.stop();
}
