//! What each fault changes in an open connection, and that it changes nothing else.

use super::super::deflate::Params;
use super::super::faults::{FAULTS, Fault, Plan, Role};
use super::super::session::{Phase, Session};
use super::probes::{LIMIT, Probe, probes};

/// What a server says to a probe, and how far it came.
fn answered(plan: Plan, (_, deflate, bytes): &Probe) -> (Vec<u8>, Phase) {
    let mut session = Session::new(plan, true, deflate.then(Params::default));
    session.limit = LIMIT;
    session.receive(bytes);
    let phase = session.phase();
    (session.out, phase)
}

/// What a fault changes.
enum Changes {
    /// The answers to these probes.
    Only(&'static [&'static str]),
    /// The answers to all that are as this says: by name, bytes and phase.
    Where(fn(&str, &[u8], Phase) -> bool),
}

fn is_failed_with(out: &[u8], phase: Phase, code: u16) -> bool {
    phase == Phase::Failed && out.ends_with(&[&[0x88, 2], &code.to_be_bytes()[..]].concat())
}

fn has_pong(name: &str) -> bool {
    const WITHOUT: [&str; 4] = ["of 126", "in fragments", "then a ping", "RSV1 on"];
    name.contains("ping") && !WITHOUT.iter().any(|part| name.contains(part))
}

fn is_compressed(name: &str, phase: Phase) -> bool {
    name.starts_with("deflate: ") && phase == Phase::Open && !name.ends_with("ping")
}

/// The rules of an open connection.
const CHANGES: &[(Fault, Changes)] = &[
    (Fault::TakesUnmasked, Changes::Only(&["no mask"])),
    (Fault::TakesRsv1, Changes::Only(&["RSV1"])),
    (Fault::TakesRsv2, Changes::Only(&["RSV2"])),
    (Fault::TakesRsv3, Changes::Only(&["RSV3"])),
    (Fault::TakesReservedData, Changes::Only(&["opcode 3"])),
    (Fault::TakesReservedControl, Changes::Only(&["opcode 15"])),
    (Fault::TakesLongForm16, Changes::Only(&["125 in 16 bits"])),
    (Fault::TakesLongForm64, Changes::Only(&["2 in 64 bits"])),
    (Fault::TakesTopBit, Changes::Only(&["a negative length"])),
    (
        Fault::Writes125In16,
        Changes::Only(&["125", "a ping of 125"]),
    ),
    (Fault::Writes126In7, Changes::Only(&["126"])),
    (Fault::Writes127In7, Changes::Only(&["127"])),
    (Fault::Writes65535In64, Changes::Only(&["65535"])),
    (Fault::Writes65536In16, Changes::Only(&["65536"])),
    (Fault::Refuses125, Changes::Only(&["125"])),
    (Fault::Refuses126, Changes::Only(&["126"])),
    (Fault::Refuses127, Changes::Only(&["127"])),
    (Fault::Refuses65535, Changes::Only(&["65535"])),
    (Fault::Refuses65536, Changes::Only(&["65536"])),
    (Fault::SwapsLength16, Changes::Only(&["126", "127"])),
    (
        Fault::TakesStrayContinuation,
        Changes::Only(&["a continuation of nothing"]),
    ),
    (
        Fault::TakesNestedMessage,
        Changes::Only(&["a message within another"]),
    ),
    (
        Fault::FailsInterleavedControl,
        Changes::Only(&["a ping between fragments"]),
    ),
    (
        Fault::PongsLate,
        Changes::Only(&["a ping between fragments"]),
    ),
    (
        Fault::FailsEmptyFragment,
        Changes::Only(&["an empty fragment"]),
    ),
    (
        Fault::EndsAtEmptyFragment,
        Changes::Only(&["an empty fragment"]),
    ),
    (
        Fault::FailsManyFragments,
        Changes::Only(&["many fragments"]),
    ),
    (
        Fault::TakesFragmentedControl,
        Changes::Only(&["a ping in fragments"]),
    ),
    (Fault::TakesLongControl, Changes::Only(&["a ping of 126"])),
    (Fault::RefusesPing125, Changes::Only(&["a ping of 125"])),
    (
        Fault::PongsLastOnly,
        Changes::Only(&["a ping between fragments", "two pings"]),
    ),
    (Fault::AnswersPongs, Changes::Only(&["a pong"])),
    (Fault::FailsPong, Changes::Only(&["a pong"])),
    (
        Fault::ValidatesFragments,
        Changes::Only(&["a split character"]),
    ),
    (Fault::TakesSurrogates, Changes::Only(&["a surrogate"])),
    (
        Fault::TakesOverlong,
        Changes::Only(&["an overlong character"]),
    ),
    (
        Fault::TakesAbove10ffff,
        Changes::Only(&["a character too high"]),
    ),
    (Fault::TakesTruncated, Changes::Only(&["half a character"])),
    (
        Fault::TakesInterrupted,
        Changes::Only(&[
            "an interrupted character",
            "text that is wrong so far",
            "deflate: wrong text",
        ]),
    ),
    (Fault::TakesStrayByte, Changes::Only(&["half of another"])),
    (Fault::TakesInvalidByte, Changes::Only(&["0xFE"])),
    (
        Fault::RefusesNonCharacters,
        Changes::Only(&["a noncharacter"]),
    ),
    (Fault::RefusesNul, Changes::Only(&["a NUL"])),
    (Fault::StripsBom, Changes::Only(&["a byte order mark"])),
    (
        Fault::NotFailFast,
        Changes::Only(&["text that is wrong so far"]),
    ),
    (
        Fault::TakesInvalidReason,
        Changes::Only(&["close with wrong reason"]),
    ),
    (Fault::TakesClose1Byte, Changes::Only(&["close 1 byte"])),
    (Fault::Answers1005, Changes::Only(&["close"])),
    (
        Fault::EchoesAfterClose,
        Changes::Only(&["close, then a message"]),
    ),
    (
        Fault::PongsAfterClose,
        Changes::Only(&["close, then a ping"]),
    ),
    (
        Fault::RefusesReason123,
        Changes::Only(&["close with long reason"]),
    ),
    (Fault::RefusesEmptyClose, Changes::Only(&["close"])),
    (
        Fault::TakesClose0To999,
        Changes::Only(&["close 0", "close 999"]),
    ),
    (Fault::TakesClose1004, Changes::Only(&["close 1004"])),
    (Fault::TakesClose1005, Changes::Only(&["close 1005"])),
    (Fault::TakesClose1006, Changes::Only(&["close 1006"])),
    (Fault::TakesClose1015, Changes::Only(&["close 1015"])),
    (
        Fault::TakesClose1016To2999,
        Changes::Only(&["close 1016", "close 2999"]),
    ),
    (
        Fault::TakesClose5000Up,
        Changes::Only(&["close 5000", "close 65535"]),
    ),
    (
        Fault::RefusesClose1000,
        Changes::Only(&[
            "close 1000",
            "close with long reason",
            "close with reason",
            "close with wrong reason",
        ]),
    ),
    (Fault::RefusesClose1001, Changes::Only(&["close 1001"])),
    (Fault::RefusesClose1003, Changes::Only(&["close 1003"])),
    (Fault::RefusesClose1007, Changes::Only(&["close 1007"])),
    (Fault::RefusesClose1008, Changes::Only(&["close 1008"])),
    (Fault::RefusesClose1009, Changes::Only(&["close 1009"])),
    (Fault::RefusesClose1010, Changes::Only(&["close 1010"])),
    (Fault::RefusesClose1011, Changes::Only(&["close 1011"])),
    (Fault::RefusesClose1012, Changes::Only(&["close 1012"])),
    (Fault::RefusesClose1013, Changes::Only(&["close 1013"])),
    (Fault::RefusesClose1014, Changes::Only(&["close 1014"])),
    (
        Fault::RefusesClose3000To3999,
        Changes::Only(&[
            "close 3000",
            "close 3999",
            "close, then a message",
            "close, then a ping",
        ]),
    ),
    (
        Fault::RefusesClose4000To4999,
        Changes::Only(&["close 4000", "close 4999"]),
    ),
    (
        Fault::WrongCodeForTooBig,
        Changes::Only(&["a message too big", "deflate: a bomb"]),
    ),
    (
        Fault::DropsEmpty,
        Changes::Only(&["an empty message", "deflate: empty"]),
    ),
    (
        Fault::TextAsBinary,
        Changes::Only(&[
            "a NUL",
            "a byte order mark",
            "a noncharacter",
            "a split character",
            "a text",
        ]),
    ),
    (Fault::CutsLarge, Changes::Only(&["65536"])),
    (Fault::LosesOrder, Changes::Only(&["two messages"])),
    (
        Fault::Merges,
        Changes::Only(&["two messages", "deflate: in a context"]),
    ),
    (
        Fault::NoLimit,
        Changes::Only(&["a message too big", "deflate: a bomb"]),
    ),
    (
        Fault::TakesRsv1OnContinuation,
        Changes::Only(&["deflate: RSV1 on each"]),
    ),
    (Fault::TakesLateRsv1, Changes::Only(&["deflate: RSV1 late"])),
    (
        Fault::TakesRsv1OnControl,
        Changes::Only(&["deflate: RSV1 on a ping"]),
    ),
    (Fault::WritesRsv1OnPong, Changes::Only(&["deflate: a ping"])),
    (
        Fault::FailsUncompressed,
        Changes::Only(&["deflate: uncompressed"]),
    ),
    (
        Fault::OwnContextDiverges,
        Changes::Only(&["deflate: in a context"]),
    ),
    (
        Fault::InflatesFragments,
        Changes::Only(&["deflate: in fragments"]),
    ),
    (
        Fault::ForgetsPeerContext,
        Changes::Only(&["deflate: in a context"]),
    ),
    (Fault::FailsBfinal, Changes::Only(&["deflate: BFINAL"])),
    (
        Fault::FailsEmptyCompressed,
        Changes::Only(&["deflate: empty"]),
    ),
    (
        Fault::TakesCompressedInvalidUtf8,
        Changes::Only(&["deflate: wrong text"]),
    ),
    (
        Fault::TakesInvalidDeflate,
        Changes::Only(&["deflate: nonsense"]),
    ),
    (Fault::BombWithoutLimit, Changes::Only(&["deflate: a bomb"])),
    (
        Fault::DropsFragmentedMessages,
        Changes::Only(&[
            "a ping between fragments",
            "a split character",
            "an empty fragment",
            "many fragments",
            "three fragments",
            "deflate: in fragments",
        ]),
    ),
    (
        Fault::EchoesFragments,
        Changes::Only(&[
            "a message within another",
            "a ping between fragments",
            "a split character",
            "an empty fragment",
            "many fragments",
            "three fragments",
            "deflate: RSV1 late",
            "deflate: RSV1 on each",
            "deflate: in fragments",
        ]),
    ),
    (
        Fault::MasksFrames,
        Changes::Where(|_, out, _| !out.is_empty()),
    ),
    (
        Fault::WritesRsv2,
        Changes::Where(|_, out, _| !out.is_empty()),
    ),
    (
        Fault::WritesFragmentedPong,
        Changes::Where(|name, _, _| has_pong(name)),
    ),
    (Fault::NoPong, Changes::Where(|name, _, _| has_pong(name))),
    (
        Fault::WrongPong,
        Changes::Where(|name, _, _| has_pong(name)),
    ),
    (
        Fault::EmptyPong,
        Changes::Where(|name, _, _| has_pong(name)),
    ),
    (
        Fault::TakesInvalidUtf8,
        Changes::Where(|name, out, phase| {
            is_failed_with(out, phase, 1007)
                && !name.contains("reason")
                && !name.contains("nonsense")
        }),
    ),
    (
        Fault::ReplacesInvalidUtf8,
        Changes::Where(|name, out, phase| {
            is_failed_with(out, phase, 1007)
                && !name.contains("reason")
                && !name.contains("nonsense")
        }),
    ),
    (
        Fault::WrongCodeForUtf8,
        Changes::Where(|name, out, phase| {
            is_failed_with(out, phase, 1007) && !name.contains("nonsense")
        }),
    ),
    (
        Fault::WrongCodeForProtocol,
        Changes::Where(|_, out, phase| is_failed_with(out, phase, 1002)),
    ),
    (
        Fault::FailsWithoutClose,
        Changes::Where(|_, _, phase| phase == Phase::Failed),
    ),
    (
        Fault::FailsWith1000,
        Changes::Where(|_, _, phase| phase == Phase::Failed),
    ),
    (
        Fault::IgnoresClose,
        Changes::Where(|name, _, _| name.starts_with("close")),
    ),
    (
        Fault::DropsAtClose,
        Changes::Where(|_, _, phase| phase == Phase::Closed),
    ),
    (
        Fault::AnswersOtherCode,
        Changes::Where(|_, _, phase| phase == Phase::Closed),
    ),
    (
        Fault::DataAfterClose,
        Changes::Where(|_, _, phase| phase == Phase::Closed),
    ),
    (
        Fault::BinaryAsText,
        Changes::Where(|_, out, _| {
            out.iter().any(|byte| byte & 0x8F == 0x82) && !out.starts_with(&[0x88])
        }),
    ),
    (
        Fault::NoRsv1,
        Changes::Where(|name, _, phase| is_compressed(name, phase)),
    ),
    (
        Fault::FalseRsv1,
        Changes::Where(|name, _, phase| is_compressed(name, phase)),
    ),
    (
        Fault::LeavesTail,
        Changes::Where(|name, _, phase| is_compressed(name, phase)),
    ),
];

#[test]
fn each_fault_changes_what_it_is_about_and_nothing_else() {
    let probes = probes();
    let correct: Vec<_> = probes
        .iter()
        .map(|probe| answered(Plan(None), probe))
        .collect();
    let mut wrong = Vec::new();
    for (fault, changes) in CHANGES {
        for (probe, correct) in probes.iter().zip(&correct) {
            let (name, (out, phase)) = (probe.0.as_str(), correct);
            let expected = match changes {
                Changes::Only(names) => names.contains(&name),
                Changes::Where(holds) => holds(name, out, *phase),
            };
            let changed = answered(Plan(Some(*fault)), probe) != *correct;
            if changed != expected {
                wrong.push(format!(
                    "{fault}: {name}: expected {expected}, got {changed}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "what changes:\n{}", wrong.join("\n"));
}

#[test]
fn every_fault_of_an_open_connection_is_tried() {
    // What is about the handshake, deadlines and TCP is tried elsewhere.
    const ELSEWHERE: [&str; 6] = [
        "RFC 6455 4",
        "RFC 6455 7.1.1",
        "RFC 6455 10.4",
        "RFC 9112",
        "RFC 7692 7.1",
        "RFC 6455 5.3",
    ];
    for entry in FAULTS.iter().filter(|entry| entry.role != Role::Client) {
        let is_elsewhere = ELSEWHERE
            .iter()
            .any(|section| entry.section.starts_with(section))
            || entry.fault == Fault::FailsNotAtAll;
        let is_tried = CHANGES.iter().any(|(fault, _)| *fault == entry.fault);
        assert!(is_elsewhere || is_tried, "{}", entry.name);
    }
}

#[test]
fn what_keeps_the_rules_is_answered_as_the_rfc_says() {
    for probe in probes() {
        let (out, phase) = answered(Plan(None), &probe);
        let code = match out.as_slice() {
            [.., 0x88, 2, high, low] => u16::from_be_bytes([*high, *low]),
            _ => 0,
        };
        match phase {
            Phase::Failed => assert!([1002, 1007, 1009].contains(&code), "{}: {code}", probe.0),
            Phase::Closed => assert!(probe.0.starts_with("close"), "{}", probe.0),
            Phase::Open => assert_ne!(out.first(), Some(&0x88), "{}", probe.0),
        }
    }
}
