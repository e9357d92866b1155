//! One exchange with a verdict, as the causes see it.

use shadow_proto::exchange::{Headers, Request, Response};

use crate::evidence::route::RouteId;
use crate::redact::Redactor;

/// The parts of an exchange that may separate the faulty ones from the others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    pub(crate) route_id: RouteId,
    pub(crate) route: &'a str,
    pub(crate) request: &'a Request,
    /// Production's answer.
    pub(crate) response: Option<&'a Response>,
    /// The fields of the shadow system's answer.
    pub(crate) shadow: Option<&'a Headers>,
    /// The time slice.
    pub(crate) slice: usize,
    pub(crate) redactor: &'a Redactor,
}
