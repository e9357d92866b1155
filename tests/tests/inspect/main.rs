//! `shadow inspect` on captures of real software.
//!
//! [`made`]: what is known to be in the project's own captures is found. [`tshark`]: an independent dissector sees the
//! same messages, or a written reason says why not. [`loss`]: segments that are lost, late or doubled never make an
//! exchange that did not happen. [`worse`]: nor do a snap length, clocks that jump, or more of the same in one file. [`damage`]: no file can break the reader, and every counter adds up whatever it holds.
//! [`threads`]: however many threads read a file, the output is the same. [`command`]: how the command ends.
//!
//! `SHADOW_PCAPS=DIR` adds the captures of a directory to all but the first.

mod captures;
mod command;
mod damage;
mod loss;
mod made;
mod random;
mod row;
mod threads;
mod tshark;
mod worse;
