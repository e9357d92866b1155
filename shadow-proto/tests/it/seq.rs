//! The laws of sequence numbers (RFC 9293 section 3.4). The list is that of netstack3's `tcp/seqnum.rs`.

use proptest::prelude::*;

use shadow_proto::seq::SeqNum;

use crate::support::cases;

fn seqs() -> impl Strategy<Value = SeqNum> {
    prop_oneof![
        Just(0_u32),
        Just(1),
        Just((1 << 31) - 1),
        Just(1 << 31),
        Just((1 << 31) + 1),
        Just(u32::MAX - 1),
        Just(u32::MAX),
        any::<u32>(),
    ]
    .prop_map(SeqNum)
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn nothing_is_before_itself(a in seqs()) {
        prop_assert!(!a.is_before(a));
        prop_assert_eq!(a.distance_from(a), 0);
        prop_assert_eq!(a + 0, a);
    }

    #[test]
    fn addition_and_distance_are_inverse(a in seqs(), n in 0_i32..=i32::MAX) {
        let b = a + n.cast_unsigned();
        prop_assert_eq!(b.distance_from(a), n);
        prop_assert_eq!(a.distance_from(b), -n);
        prop_assert_eq!(a.is_before(b), n > 0);
        prop_assert!(!b.is_before(a));
    }

    #[test]
    fn addition_goes_round_the_circle(a in seqs(), n: u32, m: u32) {
        prop_assert_eq!((a + n) + m, a + n.wrapping_add(m));
        prop_assert_eq!((a + n) + n.wrapping_neg(), a);
    }

    #[test]
    fn of_two_different_numbers_one_is_before_the_other(a in seqs(), b in seqs()) {
        prop_assume!(a != b && a.0.wrapping_sub(b.0) != 1 << 31);
        prop_assert!(a.is_before(b) != b.is_before(a));
        prop_assert_eq!(a.distance_from(b), -b.distance_from(a));
    }

    #[test]
    fn order_is_transitive_within_a_quarter_of_the_circle(a in seqs(), n in 1_u32..1 << 30, m in 1_u32..1 << 30) {
        let (b, c) = (a + n, a + n + m);
        prop_assert!(a.is_before(b) && b.is_before(c) && a.is_before(c));
    }

    #[test]
    fn order_turns_over_at_half_of_the_circle(a in seqs()) {
        prop_assert!(a.is_before(a + ((1 << 31) - 1)));
        prop_assert!((a + ((1 << 31) + 1)).is_before(a));
        prop_assert!(!a.is_before(a + ((1 << 31) + 1)));
    }
}
