//! `shadow inspect` on captures of real software.
//!
//! [`made`]: the known contents of the project's own captures are found. [`tshark`]: an independent dissector sees the
//! same messages, or a written reason explains the difference. [`loss`]: lost, late or duplicate segments never make an
//! exchange that did not happen. [`worse`]: the same for a snap length, clocks that jump, or repeated contents in one
//! file. [`damage`]: no file can break the reader, and every counter adds up. [`threads`]: the output does not depend
//! on the number of threads. [`command`]: how the command ends.
//!
//! `SHADOW_PCAPS=DIR` adds the captures of a directory to all of these except the first.

mod captures;
mod command;
mod damage;
mod joins;
mod loss;
mod made;
mod random;
mod row;
mod threads;
mod tshark;
mod worse;
