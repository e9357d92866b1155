//! The one place in the agent that sets the share of connections that is copied.
//!
//! It combines two inputs: people and the rollout set the wanted share, the node's budget sets the part of that it can
//! bear. The copied share is the product, so neither can raise what the other has lowered. A sample set in the kernel's
//! map bypassing the agent becomes the wanted share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::capture::control::{Control, ControlError};

/// Where the sample is written and read: the kernel program's map.
pub trait SampleStore: Send + Sync {
    /// Copies this share of connections, 0 to 1.
    fn set(&self, share: f64) -> Result<(), ControlError>;
    /// The share that is copied.
    fn get(&self) -> Result<f64, ControlError>;
}

impl SampleStore for Control {
    fn set(&self, share: f64) -> Result<(), ControlError> {
        self.set_sample(share)
    }

    fn get(&self) -> Result<f64, ControlError> {
        self.sample()
    }
}

/// The wanted share and the part that the budget allows.
#[derive(Debug)]
pub struct Sampling<K> {
    knob: K,
    shares: Mutex<Shares>,
}

#[derive(Clone, Copy, Debug)]
struct Shares {
    wanted: f64,
    bearable: f64,
    /// The map's value after the last write.
    written: f64,
}

/// The map stores the share as a fraction of 2^32.
const SAME: f64 = 1e-9;

impl<K: SampleStore> Sampling<K> {
    /// Sets the wanted share.
    pub fn new(knob: K, wanted: f64) -> Result<Self, ControlError> {
        let sampling = Self {
            knob,
            shares: Mutex::new(Shares {
                wanted,
                bearable: 1.0,
                written: 0.0,
            }),
        };
        sampling.want(wanted)?;
        Ok(sampling)
    }

    /// Sets the share that people or the rollout want, 0 to 1.
    pub fn want(&self, share: f64) -> Result<(), ControlError> {
        let mut shares = self.lock();
        shares.wanted = share.clamp(0.0, 1.0);
        self.write(&mut shares)
    }

    /// Sets the part of the wanted share that the node can bear, 0 to 1.
    pub fn bear(&self, part: f64) -> Result<(), ControlError> {
        let mut shares = self.adopted()?;
        shares.bearable = part.clamp(0.0, 1.0);
        self.write(&mut shares)
    }

    /// The wanted share, regardless of what the node can bear.
    pub fn wanted(&self) -> Result<f64, ControlError> {
        Ok(self.adopted()?.wanted)
    }

    /// The copied share.
    pub fn copied(&self) -> Result<f64, ControlError> {
        self.knob.get()
    }

    /// Takes over a share that was set bypassing the agent.
    fn adopted(&self) -> Result<MutexGuard<'_, Shares>, ControlError> {
        let mut shares = self.lock();
        let now = self.knob.get()?;
        if (now - shares.written).abs() > SAME {
            shares.wanted = now;
            shares.written = now;
        }
        Ok(shares)
    }

    fn write(&self, shares: &mut Shares) -> Result<(), ControlError> {
        self.knob.set(shares.wanted * shares.bearable)?;
        shares.written = self.knob.get()?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Shares> {
        // Three numbers, each valid by itself.
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Map(Mutex<f64>);

    impl SampleStore for Map {
        fn set(&self, share: f64) -> Result<(), ControlError> {
            *self.0.lock().expect("not poisoned") = share;
            Ok(())
        }

        fn get(&self) -> Result<f64, ControlError> {
            Ok(*self.0.lock().expect("not poisoned"))
        }
    }

    #[track_caller]
    fn copied(sampling: &Sampling<Map>, share: f64) {
        let now = sampling.copied().expect("readable");
        assert!((now - share).abs() < 1e-12, "{now} is not {share}");
    }

    #[test]
    fn neither_raises_what_the_other_lowered() {
        let sampling = Sampling::new(Map::default(), 1.0).expect("set");
        copied(&sampling, 1.0);
        sampling.bear(0.5).expect("set");
        copied(&sampling, 0.5);
        sampling.want(0.1).expect("set");
        copied(&sampling, 0.05);
        sampling.bear(1.0).expect("set");
        copied(&sampling, 0.1);
        sampling.want(7.0).expect("set");
        copied(&sampling, 1.0);
    }

    #[test]
    fn what_is_set_past_the_agent_is_wanted() {
        let sampling = Sampling::new(Map::default(), 1.0).expect("set");
        *sampling.knob.0.lock().expect("not poisoned") = 0.2;
        assert!((sampling.wanted().expect("readable") - 0.2).abs() < 1e-12);
        sampling.bear(0.5).expect("set");
        copied(&sampling, 0.1);
    }
}
