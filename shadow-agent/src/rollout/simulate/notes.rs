//! Notes on the limits of a recording.

use shadow_core::rollout::{Cause, Plan, Stage};

use super::{Run, Simulated};
use shadow_proto::units::Rate;

use crate::figures::count;

/// The limits of every recording.
const ALWAYS: [&str; 4] = [
    "a transition is seen at the end of a window (10 s), the agent looks every second",
    "what is noise is as it was known when each window ended; a running rollout also applies what is learnt later",
    "latencies are kept in buckets of a quarter: a ratio near its limit stays undecided here and may be decided live",
    "the journal keeps no counts of what was verified and of planted faults: gates.verified and gates.power are not \
     applied here",
];

pub(super) fn notes(run: &Run, simulated: &Simulated, plan: &Plan) -> Vec<String> {
    let Simulated {
        passed_over,
        sample_low,
        sample_high,
        ..
    } = simulated;
    let mut notes = Vec::new();
    let recorded = if sample_low < sample_high {
        format!(
            "between {} and {}",
            Rate::from_fraction(*sample_low),
            Rate::from_fraction(*sample_high)
        )
    } else {
        Rate::from_fraction(*sample_high).to_string()
    };
    if run.asked.less {
        notes.push(format!(
            "recorded was {recorded} of connections; a phase would have mirrored less, so each count is taken times the \
             share of it: expected numbers, not drawn ones"
        ));
    }
    if run.asked.more {
        notes.push(format!(
            "recorded was {recorded} of connections; a phase that asks for more would have come by its evidence sooner, and \
             how the shadow system bears that load is not known"
        ));
    }
    notes.extend(ALWAYS.map(str::to_owned));
    let restarted = run.timeline.iter().any(|step| step.cause == Cause::Restart);
    if restarted {
        notes.push("each start of the agent begins the phase anew, as it would have".to_owned());
    }
    if *passed_over > 0 {
        notes.push(format!(
            "{} windows were passed over: an older version wrote them without what coverage and errors are counted from",
            count(*passed_over)
        ));
    }
    match run.rollout.stage() {
        Stage::Held | Stage::Aborted => notes.push(
            "what was recorded after that was not looked at: a person would have had to decide".to_owned(),
        ),
        Stage::Paused => notes.push("mirroring was killed, and nobody let it go on".to_owned()),
        Stage::Complete | Stage::Running | Stage::Idle => {}
    }
    if run.rollout.stage() == Stage::Running && plan.shortest().as_millis() > span(simulated) {
        notes.push(
            "the recording is shorter than the plan: no evidence could have brought it to its end".to_owned(),
        );
    }
    notes
}

fn span(simulated: &Simulated) -> u128 {
    u128::from(simulated.to_ms.saturating_sub(simulated.from_ms))
}
