//! Reads a file with several threads: one reads bytes, one finds the frames, the others each follow some connections.
//!
//! ```text
//! file --buffers--> frames --batches--> lanes --done--> writer
//!   ^-------spare---------^-----spare batches--'
//! ```
//!
//! Bounds: [`BATCHES`] batches at a time, for any size of file. If one thread is slow, the others wait for it. Bias:
//! the output is identical to that of one thread, byte for byte.

use std::{
    io,
    panic::resume_unwind,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread::{self, ScopedJoinHandle},
};

use shadow_proto::engine::Event;

use super::{
    Filter, Format,
    lanes::{Done, LANES, Lanes},
};
use crate::capture::pcap::{Batch, Batches, Damage, PcapFile};

/// Batches that are being read, being processed, or waiting to be filled.
const BATCHES: usize = 8;

/// Reads the file to its end, and passes each event on in order. Returns the rest of the lanes and the file's damage.
pub(super) fn read<'f>(
    file: &mut PcapFile,
    format: Format,
    filter: &'f Filter,
    threads: usize,
    write: &mut impl FnMut(&Event) -> io::Result<()>,
) -> io::Result<(Vec<Lanes<'f>>, Option<Damage>)> {
    let threads = threads.min(LANES);
    let Some((batches, reading)) = file.batches(BATCHES) else {
        return Ok((Vec::new(), None));
    };
    thread::scope(|scope| {
        scope.spawn(move || reading.run());
        let (spare_tx, spare_rx) = channel();
        for _ in 0..BATCHES {
            // The receiver lives until the reader ends.
            drop(spare_tx.send(Batch::default()));
        }
        let (mut batches_tx, mut done_rx, mut workers) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..threads {
            let (batch_tx, batch_rx) = sync_channel(BATCHES);
            let (found_tx, found_rx) = sync_channel(BATCHES);
            let spare_tx = spare_tx.clone();
            let lanes = Lanes::new(format, filter, |lane| lane % threads == number);
            workers.push(scope.spawn(move || follow(lanes, &batch_rx, &spare_tx, &found_tx)));
            batches_tx.push(batch_tx);
            done_rx.push(found_rx);
        }
        drop(spare_tx);
        let dealer = scope.spawn(move || deal(batches, &spare_rx, &batches_tx));
        let written = merge(&done_rx, write);
        // Threads that still send find the channel closed, and end.
        drop(done_rx);
        let damage = join(dealer);
        let lanes = workers.into_iter().map(join).collect();
        written.map(|()| (lanes, damage))
    })
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Passes every batch to every worker.
fn deal(
    mut file: Batches<'_>,
    spare_rx: &Receiver<Batch>,
    batches_tx: &[SyncSender<Arc<Batch>>],
) -> Option<Damage> {
    let mut kept = None;
    while let Some(mut batch) = kept.take().or_else(|| spare_rx.recv().ok()) {
        match file.next_batch(&mut batch) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(damage) => return Some(damage),
        }
        let batch = Arc::new(batch);
        for batch_tx in batches_tx {
            if batch_tx.send(Arc::clone(&batch)).is_err() {
                return None;
            }
        }
        // The last holder of a batch gets it back; the other threads may have been faster here.
        kept = Arc::into_inner(batch);
    }
    None
}

/// Reads the connections of some lanes.
fn follow<'f>(
    mut lanes: Lanes<'f>,
    batch_rx: &Receiver<Arc<Batch>>,
    spare_tx: &Sender<Batch>,
    done_tx: &SyncSender<Vec<Done>>,
) -> Lanes<'f> {
    while let Ok(batch) = batch_rx.recv() {
        let mut done = Vec::new();
        for (index, key) in batch.keys().iter().enumerate() {
            lanes.segment(index, key, || batch.segment(index), &mut done);
        }
        // The last holder returns the batch. At the end of the file the channel is closed.
        if let Some(batch) = Arc::into_inner(batch) {
            drop(spare_tx.send(batch));
        }
        if done_tx.send(done).is_err() {
            break;
        }
    }
    lanes
}

/// Writes the workers' events of each batch in the order of the file.
fn merge(
    done_rx: &[Receiver<Vec<Done>>],
    write: &mut impl FnMut(&Event) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        let mut all = Vec::new();
        for done_rx in done_rx {
            let Ok(mut done) = done_rx.recv() else {
                return Ok(());
            };
            all.append(&mut done);
        }
        all.sort_by_key(|(place, _)| *place);
        for (_, event) in &all {
            write(event)?;
        }
    }
}
