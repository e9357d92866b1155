//! The maps of the kernel program that concern other network namespaces.

use std::{
    fmt, io,
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

use aya::maps::{Array, Map, MapData, ProgramArray};
use shadow_common::config::{
    HEARD_MAP, Heard, INSIDE_EGRESS_PROGRAM, INSIDE_INGRESS_PROGRAM, INSIDE_MAP, LABEL_MAP, heard_index,
};

use super::Traffic;
use crate::capture::{
    attach::Attacher,
    control::{ControlError, reason},
};

/// The maps, with the programs for other namespaces loaded.
pub struct InsideMaps {
    label: OwnedFd,
    /// The kernel empties it when nobody has it open any more.
    _programs: ProgramArray<MapData>,
    programs: OwnedFd,
    heard: Array<MapData, [u64; Heard::COUNT]>,
    traffic: Arc<Traffic>,
}

impl fmt::Debug for InsideMaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InsideMaps").finish_non_exhaustive()
    }
}

impl InsideMaps {
    /// Loads the programs. Needs the privileges of the start.
    pub fn load(attacher: &mut Attacher, traffic: Arc<Traffic>) -> Result<Self, ControlError> {
        let what = "prepare the capture in network namespaces";
        let failed = |reason: String| ControlError::Map { what, reason };
        let io = |error: io::Error| failed(error.to_string());
        let mut map = |name: &str| {
            let map = attacher.object().take_map(name);
            map.ok_or_else(|| failed(format!("there is no map {name}")))
        };
        let (label, programs, heard) = (map(LABEL_MAP)?, map(INSIDE_MAP)?, map(HEARD_MAP)?);
        let (Map::PerCpuArray(label), Map::ProgramArray(array)) = (&label, &programs) else {
            return Err(failed("its maps are of another kind".to_owned()));
        };
        let label = label.fd().as_fd().try_clone_to_owned().map_err(io)?;
        let descriptor = array.fd().as_fd().try_clone_to_owned().map_err(io)?;
        let mut programs = ProgramArray::try_from(programs).map_err(ControlError::map(what))?;
        for (place, name) in [INSIDE_INGRESS_PROGRAM, INSIDE_EGRESS_PROGRAM]
            .into_iter()
            .enumerate()
        {
            let program = attacher.load(name).map_err(|error| failed(reason(&error)))?;
            let place = u32::try_from(place).unwrap_or_default();
            let set = programs.set(place, program, 0);
            set.map_err(ControlError::map(what))?;
        }
        Ok(Self {
            label,
            programs: descriptor,
            _programs: programs,
            heard: Array::try_from(heard).map_err(ControlError::map(what))?,
            traffic,
        })
    }

    pub(super) fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }

    /// The maps that the attach process needs: the label map and the program array.
    pub(super) fn descriptors(&self) -> io::Result<[OwnedFd; 2]> {
        Ok([self.label.try_clone()?, self.programs.try_clone()?])
    }

    /// When packets of targets were last seen, one time for each of [`Heard`].
    pub(super) fn heard(&self, label: u32) -> [u64; Heard::COUNT] {
        self.heard.get(&heard_index(label), 0).unwrap_or_default()
    }

    /// Forgets what was seen under a label, before it is used again.
    pub(super) fn forget(&mut self, label: u32) {
        self.traffic.forget(label);
        if let Err(error) = self.heard.set(heard_index(label), [0; Heard::COUNT], 0) {
            tracing::debug!(%error, "the times of a namespace cannot be cleared");
        }
    }
}
