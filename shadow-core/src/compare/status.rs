//! Status codes.

use super::{rules::Statuses, scope::Scope};

/// Whether two status codes are equal under the rules.
pub(super) fn same(scope: &Scope<'_>, production: u16, shadow: u16) -> bool {
    if production == shadow {
        return true;
    }
    if scope.status == Statuses::Class && same_class(production, shadow) {
        return true;
    }
    is_listed(scope, production, shadow)
}

/// Whether a rule says that two different codes are the same. Those of gRPC (0 to 16) and HTTP never meet.
pub(super) fn is_listed(scope: &Scope<'_>, production: u16, shadow: u16) -> bool {
    let mut same = false;
    for (rule, list) in scope.same_status {
        let both = list.contains(&production) && list.contains(&shadow);
        scope.tried(*rule, both);
        same |= both;
    }
    same
}

/// Equal first digits (RFC 9110 section 15).
pub(super) fn same_class(a: u16, b: u16) -> bool {
    a / 100 == b / 100
}

/// 4xx and 5xx.
pub(super) fn is_error(status: u16) -> bool {
    (400..600).contains(&status)
}
