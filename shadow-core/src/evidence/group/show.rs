//! The groups as shown in a report.

use crate::{
    compare::Discrepancy,
    evidence::{
        report::{self, Harm, Standing},
        route::RouteId,
        shape::Shift,
        stats::Proportion,
        trend::Slicer,
    },
};

use super::{Context, Denominators, Group, Groups, Standings, hex};

impl Groups {
    /// The groups with exchanges, by standing, then by harm, then the largest first; equal ones in a stable order.
    pub(crate) fn ranked(
        &self,
        slicer: &Slicer,
        standings: &Standings,
        whole: impl Fn(RouteId) -> Denominators,
    ) -> Vec<report::Group> {
        let mut ranked: Vec<report::Group> = self
            .all
            .iter()
            .filter(|group| group.exchanges > 0)
            .map(|group| shown(group, slicer, standings, &whole(group.route_id)))
            .collect();
        ranked.sort_by(|a, b| {
            let rank = |group: &report::Group| match group.standing {
                Standing::Regression => 0,
                Standing::Undecided => 1,
                Standing::Noise | Standing::AfterSkippedWrite => 2,
            };
            rank(a)
                .cmp(&rank(b))
                .then_with(|| Harm::of(&a.category).rank().cmp(&Harm::of(&b.category).rank()))
                .then_with(|| b.exchanges.cmp(&a.exchanges))
                .then_with(|| a.id.cmp(&b.id))
        });
        ranked
    }
}

fn shown(group: &Group, slicer: &Slicer, standings: &Standings, whole: &Denominators) -> report::Group {
    // A failure is not a difference between two answers.
    let failure = group.is_failure();
    let mut shifts: Vec<report::Shift> = group
        .atoms
        .iter()
        .filter_map(|(shift, id)| Some((shift, standings.get(*id)?)))
        .filter(|(_, judged)| judged.known.observed.0 > 0 && !failure)
        .map(|(shift, judged)| judged.shift(*shift))
        .collect();
    shifts.sort_by(|a, b| {
        let key = |shift: &report::Shift| {
            (
                shift.production.clone(),
                shift.shadow.clone(),
                shift.apart.clone(),
            )
        };
        b.observed
            .successes
            .cmp(&a.observed.successes)
            .then_with(|| key(a).cmp(&key(b)))
    });
    let standing = if failure {
        Standing::Regression
    } else {
        let worst = shifts.iter().map(|shift| shift.standing).min();
        worst.unwrap_or(Standing::AfterSkippedWrite)
    };
    let mut samples: Vec<(Standing, report::Sample)> = group
        .samples
        .iter()
        .map(|(id, sample)| {
            let judged = standings.get(*id);
            let standing = judged.map_or(Standing::Regression, |judged| judged.stood.standing);
            (standing, sample.clone())
        })
        .collect();
    samples.sort_by_key(|(standing, _)| *standing);
    report::Group {
        id: hex(&group.id),
        route: group.route.clone(),
        category: group.category.clone(),
        place: group.place.clone(),
        standing,
        exchanges: group.exchanges,
        after_skipped_write: group.after_skipped_write,
        rate: Proportion::new(group.exchanges.min(whole.replayed), whole.replayed),
        trend: slicer.trend(&group.slices, &whole.slices),
        discrepancies: group.discrepancies,
        first_ns: group.first.as_nanos(),
        last_ns: group.last.as_nanos(),
        shifts,
        samples: samples.into_iter().map(|(_, sample)| sample).collect(),
    }
}

/// A discrepancy as an example, without secrets.
pub(super) fn sample(context: Context<'_>, found: &Discrepancy) -> report::Sample {
    let Discrepancy {
        category: _,
        place,
        production,
        shadow,
        leaves: _,
    } = match context.answers {
        Some(answers) => context.redactor.discrepancy_of(found, answers),
        None => context.redactor.discrepancy(found),
    };
    report::Sample {
        at_ns: context.now.as_nanos(),
        target: context.redactor.target(&String::from_utf8_lossy(context.target)),
        place,
        production,
        shadow,
        shift: Shift::of(found).to_string(),
    }
}
