//! The codes that a Close frame may carry (RFC 6455 section 7.4), and the faults
//! that a peer may have with each.

use super::faults::{Fault, Plan};

/// Whether a code is taken from a peer.
pub(super) fn is_taken(plan: Plan, code: u16) -> bool {
    match verdict(code) {
        Verdict::Unbroken => true,
        Verdict::Valid(refuses) => !plan.breaks(refuses),
        Verdict::Invalid(takes) => plan.breaks(takes),
    }
}

enum Verdict {
    /// With the fault that refuses it.
    Valid(Fault),
    /// With no fault.
    Unbroken,
    /// With the fault that takes it.
    Invalid(Fault),
}

fn verdict(code: u16) -> Verdict {
    use Verdict::{Invalid, Unbroken, Valid};
    match code {
        0..1000 => Invalid(Fault::TakesClose0To999),
        1000 => Valid(Fault::RefusesClose1000),
        1001 => Valid(Fault::RefusesClose1001),
        // Refused with the same code: nobody could tell.
        1002 => Unbroken,
        1003 => Valid(Fault::RefusesClose1003),
        1004 => Invalid(Fault::TakesClose1004),
        1005 => Invalid(Fault::TakesClose1005),
        1006 => Invalid(Fault::TakesClose1006),
        1007 => Valid(Fault::RefusesClose1007),
        1008 => Valid(Fault::RefusesClose1008),
        1009 => Valid(Fault::RefusesClose1009),
        1010 => Valid(Fault::RefusesClose1010),
        1011 => Valid(Fault::RefusesClose1011),
        1012 => Valid(Fault::RefusesClose1012),
        1013 => Valid(Fault::RefusesClose1013),
        1014 => Valid(Fault::RefusesClose1014),
        1015 => Invalid(Fault::TakesClose1015),
        1016..3000 => Invalid(Fault::TakesClose1016To2999),
        3000..4000 => Valid(Fault::RefusesClose3000To3999),
        4000..5000 => Valid(Fault::RefusesClose4000To4999),
        5000.. => Invalid(Fault::TakesClose5000Up),
    }
}
