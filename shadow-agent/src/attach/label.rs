//! The program of one attachment: it writes the attachment's label, and makes a tail call to the agent's program.
//!
//! A link has no number of its own that a TC program could read (`bpf_get_attach_cookie` is not there for it), a packet
//! that comes in names no namespace, and every pod has an interface with number 2. So each attachment has a program, of
//! a few instructions, with its label as a constant. When the agent is gone the kernel empties its program array, and
//! the tail call falls through: the packet passes unchanged.

use std::{
    ffi::CStr,
    io,
    mem::size_of_val,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

/// `BPF_PROG_LOAD`.
const PROG_LOAD: libc::c_int = 5;
/// `BPF_PROG_TYPE_SCHED_CLS`.
const SCHED_CLS: u32 = 3;
/// `BPF_PSEUDO_MAP_FD`.
const MAP_FD: u8 = 1;
/// `TCX_NEXT`, or `TC_ACT_UNSPEC` of a filter.
const NEXT: i32 = -1;

/// The maps that the program uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maps<'a> {
    /// Where it writes the label.
    pub(super) label: BorrowedFd<'a>,
    /// Where it finds the agent's program.
    pub(super) programs: BorrowedFd<'a>,
}

/// Registers of the machine (`Documentation/bpf/standardization/instruction-set.rst`).
const R0: u8 = 0;
const R1: u8 = 1;
const R2: u8 = 2;
const R3: u8 = 3;
const R6: u8 = 6;
const FRAME: u8 = 10;

/// `struct bpf_insn`: code, registers, offset, constant.
const fn insn(code: u8, to: u8, from: u8, offset: i16, constant: i32) -> u64 {
    let [o0, o1] = offset.to_ne_bytes();
    let [c0, c1, c2, c3] = constant.to_ne_bytes();
    // Bit fields: the first one is in the low half on little-endian machines.
    let registers = if cfg!(target_endian = "little") {
        from << 4 | to
    } else {
        to << 4 | from
    };
    u64::from_ne_bytes([code, registers, o0, o1, c0, c1, c2, c3])
}

/// Loads a constant of 64 bits: two instructions.
const fn load(to: u8, kind: u8, value: u64) -> [u64; 2] {
    let [l0, l1, l2, l3, h0, h1, h2, h3] = value.to_le_bytes();
    [
        insn(0x18, to, kind, 0, i32::from_le_bytes([l0, l1, l2, l3])),
        insn(0, 0, 0, 0, i32::from_le_bytes([h0, h1, h2, h3])),
    ]
}

/// The program: at `place` of the array is the agent's.
fn program(maps: Maps<'_>, label: u64, place: i32) -> Vec<u64> {
    let fd = |map: BorrowedFd<'_>| u64::from(map.as_raw_fd().unsigned_abs());
    let mut code = vec![
        insn(0xbf, R6, R1, 0, 0),    // r6 = r1, the packet
        insn(0x62, FRAME, 0, -4, 0), // *(u32 *)(fp - 4) = 0
        insn(0xbf, R2, FRAME, 0, 0), // r2 = fp
        insn(0x07, R2, 0, 0, -4),    // r2 += -4
    ];
    code.extend(load(R1, MAP_FD, fd(maps.label)));
    code.extend([
        insn(0x85, 0, 0, 0, 1),  // r0 = bpf_map_lookup_elem(r1, r2)
        insn(0x15, R0, 0, 8, 0), // if r0 == 0 goto the end
    ]);
    code.extend(load(R1, 0, label));
    code.extend([
        insn(0x7b, R0, R1, 0, 0), // *(u64 *)r0 = r1
        insn(0xbf, R1, R6, 0, 0), // r1 = r6
    ]);
    code.extend(load(R2, MAP_FD, fd(maps.programs)));
    code.extend([
        insn(0xb7, R3, 0, 0, place), // r3 = place
        insn(0x85, 0, 0, 0, 12),     // bpf_tail_call(r1, r2, r3)
        insn(0xb7, R0, 0, 0, NEXT),  // r0 = next
        insn(0x95, 0, 0, 0, 0),      // exit
    ]);
    code
}

/// `union bpf_attr` of `BPF_PROG_LOAD`, up to the name.
#[repr(C)]
struct ProgLoad {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
}

/// Loads the program for one hook of an attachment.
pub(super) fn load_program(name: &str, maps: Maps<'_>, label: u64, place: i32) -> io::Result<OwnedFd> {
    const LICENSE: &CStr = c"Dual MIT/GPL";
    let code = program(maps, label, place);
    let mut attr = ProgLoad {
        kind: SCHED_CLS,
        instructions: u32::try_from(code.len()).map_err(|_long| io::ErrorKind::InvalidInput)?,
        code: code.as_ptr() as u64,
        license: LICENSE.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
        name: [0; 16],
    };
    // The last byte stays zero.
    for (to, from) in attr.name.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    // SAFETY: bpf(2) reads `attr`, of the length passed, and what it points to: `code` has as many instructions as it
    // says, and the license ends with a zero. It keeps no reference to any of them.
    let made = unsafe { libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw const attr, size_of_val(&attr)) };
    let fd = i32::try_from(made).map_err(|_wide| io::ErrorKind::InvalidData)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call made this descriptor, and nothing else owns it. The kernel sets close-on-exec.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `SO_NETNS_COOKIE`: the number of the network namespace in which a socket was made (Linux 5.14).
pub(super) fn netns_cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut cookie = 0_u64;
    let mut len: libc::socklen_t = 8;
    // SAFETY: the kernel writes at most `len` bytes to `cookie`, which has as many.
    let code = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut len,
        )
    };
    if code < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(cookie)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn instructions_are_laid_out_as_the_kernel_reads_them() {
        let fd = io::stdin();
        let maps = Maps {
            label: fd.as_fd(),
            programs: fd.as_fd(),
        };
        let code = program(maps, 0x0123_4567_89ab_cdef, 1);
        assert_eq!(code.len(), 18);
        let bytes: Vec<[u8; 8]> = code.iter().map(|insn| insn.to_ne_bytes()).collect();
        if cfg!(target_endian = "little") {
            assert_eq!(bytes[0], [0xbf, 0x16, 0, 0, 0, 0, 0, 0]);
            assert_eq!(bytes[1], [0x62, 0x0a, 0xfc, 0xff, 0, 0, 0, 0]);
            assert_eq!(bytes[8], [0x18, 0x01, 0, 0, 0xef, 0xcd, 0xab, 0x89]);
            assert_eq!(bytes[9], [0, 0, 0, 0, 0x67, 0x45, 0x23, 0x01]);
        }
        // The jump of the eighth instruction leads to the one that sets the result.
        assert_eq!(bytes[7][0], 0x15);
        assert_eq!(bytes[7 + 1 + 8], insn(0xb7, R0, 0, 0, NEXT).to_ne_bytes());
    }
}
