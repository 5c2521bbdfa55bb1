//! permessage-deflate offered and agreed on (RFC 7692 section 7.1).

use super::deflate::Params;
use super::faults::{Fault, Plan};

const NAME: &str = "permessage-deflate";

/// An extension with its parameters, as a header has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extension {
    name: String,
    params: Vec<(String, Option<String>)>,
}

/// The header is not what RFC 6455 section 9.1 says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The extensions in the values of all fields together.
pub(super) fn parse(plan: Plan, header: &str) -> Result<Vec<Extension>, Malformed> {
    let mut extensions = Vec::new();
    for element in split(header, ',') {
        if element.trim().is_empty() {
            continue;
        }
        let mut parts = split(element, ';').into_iter().map(str::trim);
        let name = parts.next().filter(|name| is_token(name));
        let name = name.ok_or(Malformed)?.to_owned();
        let params = parts.map(|part| parameter(plan, part));
        let params = params.collect::<Result<_, _>>()?;
        extensions.push(Extension { name, params });
    }
    Ok(extensions)
}

fn parameter(plan: Plan, part: &str) -> Result<(String, Option<String>), Malformed> {
    let (name, value) = match part.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (part, None),
    };
    let value = match value {
        Some(value) if value.starts_with('"') => {
            let inner = value
                .strip_prefix('"')
                .and_then(|inner| inner.strip_suffix('"'));
            let inner = inner.ok_or(Malformed)?.replace('\\', "");
            // What it cannot read it declines.
            let reads = !plan.breaks(Fault::IgnoresQuotes);
            Some(if reads { inner } else { "?".to_owned() })
        }
        Some(value) => Some(value.to_owned()),
        None => None,
    };
    let is_valid = is_token(name) && value.as_deref().is_none_or(|v| v == "?" || is_token(v));
    is_valid.then(|| (name.to_owned(), value)).ok_or(Malformed)
}

/// The parts between separators that are not quoted.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|char| {
        quoted ^= char == '"';
        char == separator && !quoted
    })
    .collect()
}

pub(super) fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

/// What a server agrees to: the first offer that it understands, and what it
/// says of it.
pub(super) fn answer(plan: Plan, offers: &[Extension]) -> Option<(Params, String)> {
    let mut offers = offers.iter().filter(|offer| offer.name == NAME);
    if plan.breaks(Fault::FirstOfferOnly) {
        return offers.next().and_then(|offer| accept(plan, offer));
    }
    offers.find_map(|offer| accept(plan, offer))
}

fn accept(plan: Plan, offer: &Extension) -> Option<(Params, String)> {
    let (params, given) = read(plan, offer)?;
    let mut response = NAME.to_owned();
    if params.server_no_context_takeover && !plan.breaks(Fault::DropsServerNoTakeover) {
        response.push_str("; server_no_context_takeover");
    }
    if params.client_no_context_takeover {
        response.push_str("; client_no_context_takeover");
    }
    if given.server_bits {
        let larger = plan.breaks(Fault::AgreesLargerWindow);
        let bits = if larger {
            15
        } else {
            params.server_max_window_bits
        };
        response.push_str("; server_max_window_bits=");
        response.push_str(&bits.to_string());
    }
    if given.client_bits_value || (plan.breaks(Fault::AnswersClientBits) && !given.client_bits) {
        let bits = params.client_max_window_bits;
        response.push_str("; client_max_window_bits=");
        response.push_str(&bits.to_string());
    }
    Some((params, response))
}

/// The server agreed to what was not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Disagreement;

/// What a client makes of a response to its own offer.
pub(super) fn confirm(
    plan: Plan,
    offered: &[Extension],
    agreed: &[Extension],
) -> Result<Option<Params>, Disagreement> {
    let offer_of = |agreed: &Extension| offered.iter().find(|offer| offer.name == agreed.name);
    let (agreed, offer) = match agreed {
        [] => return Ok(None),
        [agreed] if offer_of(agreed).is_some() => (agreed, offer_of(agreed)),
        _ if plan.breaks(Fault::TakesOtherExtension) => return Ok(None),
        _ => return Err(Disagreement),
    };
    let offer = offer.and_then(|offer| read(Plan(None), offer));
    let ((offer, offer_given), (params, given)) =
        offer.zip(read(plan, agreed)).ok_or(Disagreement)?;
    let client_bits_fit = if offer_given.client_bits {
        // In a response it has a value always.
        given.client_bits == given.client_bits_value
            && params.client_max_window_bits <= offer.client_max_window_bits
    } else {
        !given.client_bits || plan.breaks(Fault::TakesClientBits)
    };
    let server_bits_fit = params.server_max_window_bits <= offer.server_max_window_bits;
    let starts_anew = params.server_no_context_takeover || !offer.server_no_context_takeover;
    if client_bits_fit && server_bits_fit && starts_anew {
        Ok(Some(params))
    } else {
        Err(Disagreement)
    }
}

/// Which of the parameters with values are there.
#[derive(Clone, Copy, Debug, Default)]
struct Given {
    server_bits: bool,
    client_bits: bool,
    client_bits_value: bool,
}

/// The parameters; `None` where one is not as section 7.1 has it.
fn read(plan: Plan, extension: &Extension) -> Option<(Params, Given)> {
    let mut params = Params::default();
    let mut given = Given::default();
    for (at, (name, value)) in extension.params.iter().enumerate() {
        let is_again = extension.params[..at]
            .iter()
            .any(|(other, _)| other == name);
        if is_again && !plan.breaks(Fault::TakesDuplicateParameter) {
            return None;
        }
        let value = value.as_deref();
        match name.as_str() {
            "server_no_context_takeover" | "client_no_context_takeover" => {
                if value.is_some() && !plan.breaks(Fault::TakesTakeoverValue) {
                    return None;
                }
                if name.starts_with("server") {
                    params.server_no_context_takeover = true;
                } else {
                    params.client_no_context_takeover = true;
                }
            }
            "server_max_window_bits" => {
                given.server_bits = true;
                match value {
                    Some(value) => params.server_max_window_bits = bits(plan, value)?,
                    None if plan.breaks(Fault::TakesBitsEmpty) => {}
                    None => return None,
                }
            }
            "client_max_window_bits" => {
                given.client_bits = true;
                if let Some(value) = value {
                    given.client_bits_value = true;
                    params.client_max_window_bits = bits(plan, value)?;
                }
            }
            _ if plan.breaks(Fault::TakesUnknownParameter) => {}
            _ => return None,
        }
    }
    Some((params, given))
}

/// A value from 8 to 15 without leading zeros.
fn bits(plan: Plan, value: &str) -> Option<u8> {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || (value.starts_with('0') && !plan.breaks(Fault::TakesBits08)) {
        return None;
    }
    match value.parse().ok()? {
        bits @ 8..=15 => Some(bits),
        7 if plan.breaks(Fault::TakesBits7) => Some(8),
        16 if plan.breaks(Fault::TakesBits16) => Some(15),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(fault: Option<Fault>, header: &str) -> Option<String> {
        let offers = parse(Plan(fault), header).unwrap();
        answer(Plan(fault), &offers).map(|(_, response)| response)
    }

    #[test]
    fn each_parameter_is_answered_as_the_rfc_has_it() {
        for (offer, response) in [
            ("permessage-deflate", Some("")),
            ("permessage-deflate; client_max_window_bits", Some("")),
            (
                "permessage-deflate; client_max_window_bits=10; server_max_window_bits=\"9\"",
                Some("; server_max_window_bits=9; client_max_window_bits=10"),
            ),
            (
                "x; a=\"b,c;d\", permessage-deflate; foo, permessage-deflate; server_no_context_takeover",
                None,
            ),
            (
                "mux, permessage-deflate; foo , permessage-deflate; server_no_context_takeover",
                Some("; server_no_context_takeover"),
            ),
            ("mux", None),
        ] {
            let expected = response.map(|rest| format!("permessage-deflate{rest}"));
            let got = parse(Plan(None), offer).ok();
            let got = got.and_then(|offers| answer(Plan(None), &offers));
            assert_eq!(got.map(|(_, response)| response), expected, "{offer}");
        }
    }

    #[test]
    fn each_fault_takes_its_own_offer_and_no_other() {
        let cases = [
            (Fault::TakesUnknownParameter, "foo"),
            (
                Fault::TakesDuplicateParameter,
                "server_max_window_bits=10; server_max_window_bits=10",
            ),
            (Fault::TakesBits7, "server_max_window_bits=7"),
            (Fault::TakesBits16, "client_max_window_bits=16"),
            (Fault::TakesBits08, "server_max_window_bits=08"),
            (Fault::TakesBitsEmpty, "server_max_window_bits"),
            (Fault::TakesTakeoverValue, "client_no_context_takeover=1"),
        ];
        for (fault, _) in cases {
            for (class, params) in cases {
                let offer = format!("permessage-deflate; {params}");
                let is_taken = answered(Some(fault), &offer).is_some();
                assert_eq!(is_taken, fault == class, "{fault}: {offer}");
                assert_eq!(answered(None, &offer), None, "{offer}");
            }
        }
    }

    #[test]
    fn a_client_takes_what_it_offered_and_nothing_else() {
        let confirmed = |offer: &str, agreed: &str| {
            let offer = parse(Plan(None), offer).unwrap();
            confirm(Plan(None), &offer, &parse(Plan(None), agreed).unwrap())
        };
        let plain = "permessage-deflate";
        assert_eq!(confirmed(plain, ""), Ok(None));
        assert_eq!(confirmed(plain, plain), Ok(Some(Params::default())));
        for (offer, agreed) in [
            (plain, "permessage-deflate; client_max_window_bits=10"),
            (
                "permessage-deflate; client_max_window_bits",
                "permessage-deflate; client_max_window_bits",
            ),
            ("permessage-deflate; server_max_window_bits=10", plain),
            ("permessage-deflate; server_no_context_takeover", plain),
            (plain, "mux"),
            (plain, "permessage-deflate, permessage-deflate"),
            (plain, "permessage-deflate; foo"),
        ] {
            assert_eq!(
                confirmed(offer, agreed),
                Err(Disagreement),
                "{offer} / {agreed}"
            );
        }
    }
}
