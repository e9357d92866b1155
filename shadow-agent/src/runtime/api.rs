//! The running agent as the control socket and the metrics see it.

use std::sync::{PoisonError, atomic::Ordering::Relaxed};

use shadow_common::stat::Stat;
use shadow_core::evidence::{Evidence, report::Report};

use super::{
    agent::{Running, rounded},
    inside, lanes,
};
use shadow_proto::units::Rate;

use crate::{
    capture::links::Links,
    clock::moment,
    command::CommandError,
    control::{
        Agent,
        reload::Reloaded,
        status::{Attached, FORMAT, Inside, Ring, Status},
    },
    http::{metrics::Figures, server::Scraped},
    pipeline::Pipeline,
    rollout::{self, RolloutStatus},
    state::Killed,
};

impl Agent for Running {
    fn status(&self) -> Status {
        let snapshot = self.snapshot();
        let kernel = self.kernel();
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        let inputs = self.inputs(&snapshot);
        let lanes = lanes::statuses(&pipeline, &self.facts.shadows, inputs, |name| {
            self.watchdog.paused(name)
        });
        drop(pipeline);
        let first = lanes.first().cloned().unwrap_or_default();
        let armed = self.control.is_armed().unwrap_or(false);
        let (interfaces, namespaces) = self.attached();
        let rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner).rates;
        Status {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_ms: u64::try_from(self.facts.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            armed,
            killed: if armed {
                None
            } else {
                Some(self.state.killed().ok().flatten().unwrap_or_default())
            },
            sample: self.control.sample().map_or(0.0, rounded),
            modes: first.modes,
            shadow: first.url,
            targets: self.facts.targets.clone(),
            interfaces,
            namespaces,
            ring: Ring {
                bytes: self.facts.ring_bytes,
                waiting: self.ring.most(),
                full: kernel.get(Stat::RingFull),
                records: self.ring.records(),
                undecodable: self.ring.undecodable(),
            },
            rates,
            warnings: self.warnings(&kernel, &snapshot),
            queue: first.queue,
            match_rate: first.match_rate,
            latency: first.latency,
            ruling: first.ruling,
            reasons: first.reasons,
            causes: first.causes,
            causes_more: first.causes_more,
            funnel: first.funnel,
            lanes,
            trips: self.watchdog.log.all(),
            trips_total: self.watchdog.log.count(),
            budget_share: self.watchdog.share(),
            journal: self.keeper.state(),
            rollout: self.rollout.place(),
        }
    }

    fn report(&self) -> Report {
        self.report_now()
    }

    fn evidence(&self) -> Evidence {
        self.evidence_now()
    }

    fn sample(&self, rate: Rate, who: &str) -> Result<(), CommandError> {
        tracing::info!(%rate, who, "the sample is changed");
        self.rollout.by_hand(self, rate.fraction(), who, moment())?;
        self.keeper.tell("sample", who, &rate.to_string());
        Ok(())
    }

    fn kill(&self, who: &str, why: &str) -> Result<(), CommandError> {
        // The kernel first: whatever fails or waits afterwards, nothing more is copied.
        let stopped = self.control.disarm();
        let _switching = self.switching();
        // Once more: mirroring may have been resumed until now.
        let stopped = stopped.and_then(|()| self.control.disarm());
        self.with_pipeline(Pipeline::kill);
        tracing::warn!(who, "mirroring is stopped");
        self.keeper.tell("kill", who, why);
        stopped.map_err(CommandError::failed)?;
        // The record of a kill that bypassed the agent may say more than this order.
        if matches!(
            self.state.killed(),
            Ok(Some(Killed {
                resume_at_ms: None,
                ..
            }))
        ) {
            return Ok(());
        }
        self.state.kill(&Killed::now(who, why)).map_err(|error| {
            CommandError::failed(error).context("mirroring is stopped, but a restart would mirror again")
        })
    }

    fn resume(&self, who: &str) -> Result<(), CommandError> {
        self.go_on()?;
        self.watchdog
            .resume(
                &self.pipeline.read().unwrap_or_else(PoisonError::into_inner),
                &self.state,
            )
            .map_err(|error| {
                CommandError::failed(error).context("mirroring continues, but for paused targets")
            })?;
        self.keeper.tell("resume", who, "");
        tracing::info!(who, "mirroring continues");
        Ok(())
    }

    fn rollout(&self, order: rollout::Order, who: &str) -> Result<RolloutStatus, CommandError> {
        self.rollout.order(self, order, who, moment())
    }

    fn reload(&self, who: &str) -> Result<Reloaded, CommandError> {
        self.read_again(who)
    }

    fn forget_values(&self, who: &str) -> Result<(), CommandError> {
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        let learning = pipeline.lanes().filter(|lane| lane.forget_values()).count();
        if learning == 0 {
            return Err(CommandError::refused(
                "no values are learned: writes are not replayed, or shadow.values.learn is off",
            ));
        }
        tracing::info!(who, "learned values are forgotten");
        Ok(())
    }
}

impl Scraped for Running {
    fn figures(&self) -> Figures {
        Figures {
            status: self.status(),
            latencies: lanes::latencies(&self.pipeline.read().unwrap_or_else(PoisonError::into_inner)),
            report_failures: self.report_failures.load(Relaxed),
        }
    }
}

impl Running {
    /// Where the kernel program is, and what is seen there.
    fn attached(&self) -> (Vec<Attached>, Vec<Inside>) {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let interfaces = links.iter().flat_map(Links::attached).map(|link| Attached {
            name: link.interface.name,
            method: link.method.as_str().to_owned(),
            before_ingress: link.front.ingress,
            before_egress: link.front.egress,
        });
        let interfaces = interfaces.collect();
        drop(links);
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let namespaces = inside
            .iter()
            .flat_map(inside::Inside::seen)
            .map(Inside::from)
            .collect();
        (interfaces, namespaces)
    }
}
