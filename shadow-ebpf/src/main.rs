//! The kernel side of Shadow: copies the segments of sampled TCP connections into a ring buffer.
//!
//! An observer: it changes no packet and returns `TCX_NEXT` on every path, so the programs after it and the stack see
//! what they would see without it. Work per packet is bounded; what it cannot copy it counts, under one name each.
//!
//! With the feature `explain` it is another program, for `shadow explain`: it looks at one flow only, and logs the fate
//! of each packet. The ordinary program does not log.

#![no_std]
#![no_main]

mod emit;
#[cfg(feature = "explain")]
mod explain;
mod gate;
mod maps;
mod skb;

use aya_ebpf::{macros::classifier, programs::TcContext};
use shadow_common::config::{REQUESTS_EGRESS, REQUESTS_INGRESS};

use crate::gate::Hook;

/// Continue with the next program (`TC_ACT_UNSPEC`). Any other value would end the chain under TCX.
const TCX_NEXT: i32 = -1;

macro_rules! program {
    ($name:ident, $requests:expr) => {
        program!($name, $requests, false);
    };
    ($name:ident, $requests:expr, $inside:expr) => {
        #[classifier]
        fn $name(ctx: TcContext) -> i32 {
            gate::packet(
                &ctx,
                Hook {
                    requests: $requests,
                    inside: $inside,
                },
            )
        }
    };
}

#[cfg(not(feature = "explain"))]
mod programs {
    use super::*;

    program!(shadow_ingress, REQUESTS_INGRESS);
    program!(shadow_egress, REQUESTS_EGRESS);
    // For interfaces in other network namespaces, by a tail call from a program that has written the label.
    program!(shadow_ns_in, REQUESTS_INGRESS, true);
    program!(shadow_ns_out, REQUESTS_EGRESS, true);
}

#[cfg(feature = "explain")]
mod programs {
    use super::*;

    program!(explain_ingress, REQUESTS_INGRESS);
    program!(explain_egress, REQUESTS_EGRESS);

    #[classifier]
    fn explain_log(ctx: TcContext) -> i32 {
        explain::log(&ctx);
        TCX_NEXT
    }
}

/// The kernel shows GPL-only helpers to programs that say so.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Nothing here panics; if the compiler disagrees, the verifier refuses the endless loop at load.
#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
