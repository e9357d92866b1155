//! The thread that writes: batches in, files out.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    time::{Duration, Instant},
};

use shadow_common::flow::{Endpoint, FlowKey};
use shadow_core::mask::{Bounds, Mask};
use shadow_proto::{
    time::Timestamp,
    wire::{Direction, Segment},
};

use super::{
    Counters, RecordError, Settings,
    files::{Names, Output},
    tap::Batch,
};
use crate::{
    capture::{
        heartbeat,
        pcap::write::{Statistics, Writer as Pcapng, address},
    },
    clock,
};

/// How often a growing file is flushed, and the time for the next one is checked.
const TICK: Duration = Duration::from_millis(500);

/// Flows that are commented in one file; later ones are not.
const COMMENTED: usize = 65_536;

/// Servers that are named in one file.
const NAMED: usize = 1024;

pub(super) struct Writer {
    settings: Settings,
    counters: Arc<Counters>,
    names: Names,
    mask: Option<Mask>,
    file: Option<Open>,
}

/// The current file.
struct Open {
    pcapng: Pcapng<Output>,
    began: Instant,
    start: Timestamp,
    /// Added to the kernel's monotonic time.
    offset: u64,
    commented: HashSet<FlowKey>,
    servers: BTreeSet<Endpoint>,
    written: BTreeMap<u32, u64>,
    lost_before: u64,
    dropped_before: u64,
    bytes_counted: u64,
    /// Segments that are not in the file yet: if the disk is full they never will be.
    held: u64,
}

/// The reason why recording ended by itself.
enum Full {
    LastFile,
    Failed(io::Error),
}

impl From<io::Error> for Full {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Writer {
    pub(super) fn new(mut settings: Settings, counters: Arc<Counters>) -> Result<Self, RecordError> {
        let numbered = settings.files > 1 || settings.every.is_some();
        let names = Names::new(settings.file.clone(), numbered, settings.files);
        let redactor = std::mem::replace(
            &mut settings.redactor,
            shadow_core::redact::Redactor::new([0; 32], &shadow_core::redact::RedactConfig::default()),
        );
        let hides = settings.redact.hides();
        let mask = hides.map(|hide| Mask::new(hide, redactor, Bounds::default()));
        names.check()?;
        let mut writer = Self {
            settings,
            counters,
            names,
            mask,
            file: None,
        };
        writer.open()?;
        Ok(writer)
    }

    /// Runs until the end is sent or all senders are gone.
    pub(super) fn run(mut self, batches: &Receiver<Batch>, give_back: &SyncSender<Batch>) {
        loop {
            let batch = match batches.recv_timeout(TICK) {
                Ok(batch) if batch.is_nothing => return self.discard(),
                Ok(batch) if batch.is_end => break,
                Ok(batch) => batch,
                Err(RecvTimeoutError::Timeout) => Batch::default(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Err(full) = self.batch(&batch) {
                self.end_early(full);
            }
            let mut batch = batch;
            batch.clear();
            // Only a limited number is kept for reuse.
            drop(give_back.try_send(batch));
        }
        if let Err(full) = self.close() {
            self.end_early(full);
        }
    }

    fn batch(&mut self, batch: &Batch) -> Result<(), Full> {
        if self.file.is_none() {
            return Ok(());
        }
        for segment in batch.segments() {
            self.rotate()?;
            self.segment(&segment)?;
        }
        if batch.len() == 0 {
            self.tick()?;
            self.rotate()?;
            if let Some(file) = &mut self.file {
                io::Write::flush(file.pcapng.get_mut())?;
                file.settle(&self.counters);
            }
        }
        self.count_bytes();
        Ok(())
    }

    fn segment(&mut self, segment: &Segment<'_>) -> Result<(), Full> {
        let Self {
            mask,
            file: Some(file),
            counters,
            ..
        } = self
        else {
            return Ok(());
        };
        let interfaces = &self.settings.interfaces;
        let Some(mask) = mask else {
            return Ok(file.write(segment, &**interfaces, counters)?);
        };
        file.masked(&**interfaces, counters, |write| mask.take(segment, write))
    }

    /// Time passes without segments: data that waits to be masked is written in time.
    fn tick(&mut self) -> Result<(), Full> {
        let (Some(mask), Some(file)) = (&mut self.mask, &mut self.file) else {
            return Ok(());
        };
        let interfaces = &*self.settings.interfaces;
        file.masked(interfaces, &self.counters, |write| {
            mask.tick(heartbeat::now(), write);
        })
    }

    /// Begins the next file when it is time.
    fn rotate(&mut self) -> Result<(), Full> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let large = file.pcapng.bytes() >= self.settings.max_size;
        let old = self
            .settings
            .every
            .is_some_and(|every| file.began.elapsed() >= every);
        if !large && !old {
            return Ok(());
        }
        if self.settings.files <= 1 && large {
            return Err(Full::LastFile);
        }
        self.close()?;
        self.open().map_err(|error| Full::Failed(io::Error::other(error)))
    }

    fn open(&mut self) -> Result<(), RecordError> {
        let output = self.names.create(self.settings.zstd)?;
        let path = output.path().to_owned();
        let redact = self.settings.redact.as_str();
        let comment = format!(
            "Recorded by shadow {} (redact: {redact}). Packets are rebuilt from captured segments: addresses, ports, \
             sequence numbers, flags and payload are those of the wire; TTL, window, options and checksums are not.",
            env!("CARGO_PKG_VERSION"),
        );
        let create = |source| RecordError::Create { path, source };
        let mut pcapng = match Pcapng::new(output, &comment) {
            Ok(pcapng) => pcapng,
            Err(source) => return Err(create(source)),
        };
        // A full disk is noticed here, and not with the first segment.
        if let Err(source) = io::Write::flush(pcapng.get_mut()) {
            pcapng.into_inner().discard();
            return Err(create(source));
        }
        self.counters.files.fetch_add(1, Relaxed);
        self.counters.removed.store(self.names.removed(), Relaxed);
        self.file = Some(Open {
            pcapng,
            began: Instant::now(),
            start: clock::wall(),
            offset: clock::wall()
                .as_nanos()
                .saturating_sub(heartbeat::now().as_nanos()),
            commented: HashSet::new(),
            servers: BTreeSet::new(),
            written: BTreeMap::new(),
            lost_before: self.settings.losses.lost(),
            dropped_before: self.counters.dropped.load(Relaxed),
            bytes_counted: 0,
            held: 0,
        });
        Ok(())
    }

    /// Ends the current file, with the losses during it.
    fn close(&mut self) -> Result<(), Full> {
        if let (Some(mask), Some(file)) = (&mut self.mask, &mut self.file) {
            file.masked(&*self.settings.interfaces, &self.counters, |write| {
                mask.flush(write);
            })?;
        }
        self.count_bytes();
        let Some(mut file) = self.file.take() else {
            return Ok(());
        };
        let lost = self.settings.losses.lost().saturating_sub(file.lost_before)
            + self
                .counters
                .dropped
                .load(Relaxed)
                .saturating_sub(file.dropped_before);
        if let Err(error) = file.end(lost) {
            self.file = Some(file);
            return Err(error.into());
        }
        let (output, held) = (file.pcapng.into_inner(), file.held);
        self.names.done(output)?;
        self.counters.written.fetch_add(held, Relaxed);
        Ok(())
    }

    fn count_bytes(&mut self) {
        if let Some(file) = &mut self.file {
            let bytes = file.pcapng.bytes();
            self.counters
                .file_bytes
                .fetch_add(bytes - file.bytes_counted, Relaxed);
            file.bytes_counted = bytes;
        }
    }

    /// Recording is over; mirroring continues.
    fn end_early(&mut self, full: Full) {
        match full {
            Full::LastFile => {
                tracing::info!(
                    "the recording has its full size and ends; raise --max-size or --files for more"
                );
                if let Err(Full::Failed(error)) = self.close() {
                    self.failed(&error, "the end of the recording is missing");
                }
            }
            Full::Failed(error) => {
                self.failed(&error, "recording has ended; what was written is kept");
            }
        }
        // Last: everything not written by now is dropped.
        self.counters.ended.store(true, Relaxed);
    }

    /// A write failed: the data written so far is kept.
    fn failed(&mut self, error: &io::Error, what: &str) {
        tracing::error!(%error, "{what}");
        // Only the first one is reported.
        drop(self.counters.failure.set(error.to_string()));
        if let Some(file) = self.file.take() {
            file.pcapng.into_inner().salvage();
        }
    }

    fn discard(&mut self) {
        if let Some(file) = self.file.take() {
            file.pcapng.into_inner().discard();
        }
    }
}

impl Open {
    /// Writes the output of `mask`, up to the first write error.
    fn masked(
        &mut self,
        interfaces: &dyn super::Interfaces,
        counters: &Counters,
        mask: impl FnOnce(&mut dyn FnMut(&Segment<'_>)),
    ) -> Result<(), Full> {
        let mut failed = None;
        mask(&mut |masked| {
            if failed.is_none() {
                failed = self.write(masked, interfaces, counters).err();
            }
        });
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    fn write(
        &mut self,
        segment: &Segment<'_>,
        interfaces: &dyn super::Interfaces,
        counters: &Counters,
    ) -> io::Result<()> {
        let index = segment.ifindex;
        if !self.pcapng.knows(index) {
            let name = interfaces.name(index).unwrap_or_else(|| format!("if{index}"));
            self.pcapng
                .interface(index, &name, "segments mirrored by shadow")?;
        }
        let (client, server) = match segment.direction {
            Some(Direction::ToClient) => (segment.dst, segment.src),
            Some(Direction::ToServer) | None => (segment.src, segment.dst),
        };
        if self.servers.len() < NAMED {
            self.servers.insert(server);
        }
        let new = self.commented.len() < COMMENTED && self.commented.insert(FlowKey::new(client, server));
        let comment = new.then(|| format!("flow: client {}, server {}", shown(client), shown(server)));
        let at = Timestamp::from_nanos(segment.at.as_nanos().saturating_add(self.offset));
        self.pcapng.segment(index, at, segment, comment.as_deref())?;
        *self.written.entry(index).or_default() += 1;
        self.held += 1;
        self.settle(counters);
        counters
            .unplaced
            .fetch_add(u64::from(segment.missing > 0), Relaxed);
        Ok(())
    }

    /// Counts the segments that are in the file.
    fn settle(&mut self, counters: &Counters) {
        if self.pcapng.get_mut().is_flushed() {
            counters
                .written
                .fetch_add(std::mem::take(&mut self.held), Relaxed);
        }
    }

    /// Names and statistics.
    fn end(&mut self, lost: u64) -> io::Result<()> {
        let addresses: BTreeSet<IpAddr> = self.servers.iter().map(|server| address(*server)).collect();
        let names: Vec<(IpAddr, String)> = match addresses.len() {
            1 => addresses
                .into_iter()
                .map(|address| (address, "production".to_owned()))
                .collect(),
            _ => (1..)
                .zip(addresses)
                .map(|(number, address)| (address, format!("production-{number}")))
                .collect(),
        };
        self.pcapng
            .names(names.iter().map(|(address, name)| (*address, &**name)))?;
        let end = clock::wall();
        // The losses are not known for each interface: all of them are given for the first.
        let mut lost = Some(lost);
        for (index, written) in &self.written {
            let lost = lost.take().unwrap_or_default();
            let statistics = Statistics {
                start: self.start,
                end,
                received: written + lost,
                lost_in_kernel: lost,
                written: *written,
            };
            self.pcapng.statistics(*index, &statistics)?;
        }
        Ok(())
    }
}

fn shown(end: Endpoint) -> std::net::SocketAddr {
    std::net::SocketAddr::new(address(end), end.port)
}
