//! Which cases must notice which fault. A case notices a fault where its verdict is
//! failed or lenient.

use longwire_testkit::broken::Fault;

/// A fault, the cases that must notice it, and behind `?` those that may.
pub(super) type Row = (Fault, &'static [&'static str]);

pub(super) const FRAMING: &[Row] = &[
    (Fault::WritesFragmentedPong, &["framing.own-frames"]),
    (Fault::TakesUnmasked, &["framing.mask-wrong"]),
    (Fault::MasksFrames, &["framing.mask-own", "?framing.*"]),
    (Fault::TakesRsv1, &["framing.rsv1-*"]),
    (Fault::TakesRsv2, &["framing.rsv2-*", "?deflate.rsv2-*"]),
    (Fault::TakesRsv3, &["framing.rsv3-*", "?deflate.rsv3-*"]),
    (Fault::WritesRsv2, &["deflate.own-bits", "?framing.*"]),
    (
        Fault::TakesReservedData,
        &["framing.opcode-3", "framing.opcode-7", "?framing.opcode-*"],
    ),
    (
        Fault::TakesReservedControl,
        &["framing.opcode-b", "framing.opcode-f", "?framing.opcode-*"],
    ),
    (
        Fault::TakesLongForm16,
        &["length.16-bits-for-*", "?control.long-form"],
    ),
    (Fault::TakesLongForm64, &["length.64-bits-for-*"]),
    (Fault::TakesTopBit, &["length.top-bit"]),
    (
        Fault::Writes125In16,
        &["length.answers-minimal", "?framing.*"],
    ),
    (
        Fault::Writes126In7,
        &[
            "length.text-126",
            "length.binary-126*",
            "?length.answers-minimal",
            "?deflate.hundreds",
        ],
    ),
    (
        Fault::Writes127In7,
        &[
            "length.text-127",
            "length.binary-127",
            "?length.answers-minimal",
            "?deflate.hundreds",
        ],
    ),
    (Fault::Writes65535In64, &["length.answers-minimal"]),
    (
        Fault::Writes65536In16,
        &[
            "length.text-65536",
            "length.binary-65536*",
            "?length.answers-minimal",
        ],
    ),
    (
        Fault::Refuses125,
        &[
            "length.text-125",
            "length.binary-125*",
            "?length.answers-minimal",
        ],
    ),
    (
        Fault::Refuses126,
        &[
            "length.text-126",
            "length.binary-126*",
            "?length.answers-minimal",
            "?deflate.hundreds",
        ],
    ),
    (
        Fault::Refuses127,
        &[
            "length.text-127",
            "length.binary-127",
            "?length.answers-minimal",
            "?deflate.hundreds",
        ],
    ),
    (
        Fault::Refuses65535,
        &[
            "length.text-65535",
            "length.binary-65535*",
            "?length.answers-minimal",
        ],
    ),
    (
        Fault::Refuses65536,
        &[
            "length.text-65536",
            "length.binary-65536*",
            "?length.answers-minimal",
        ],
    ),
];

pub(super) const MESSAGES: &[Row] = &[
    (Fault::TakesStrayContinuation, &["fragment.continuation-*"]),
    (Fault::TakesNestedMessage, &["fragment.*-within-*"]),
    (
        Fault::FailsInterleavedControl,
        &[
            "fragment.ping*-between*",
            "fragment.pong-between",
            "?fragment.close-between",
            "?deflate.ping-between-fragments",
        ],
    ),
    (
        Fault::PongsLate,
        &["fragment.ping*-between*", "?deflate.ping-between-fragments"],
    ),
    (
        Fault::FailsEmptyFragment,
        &["fragment.*empty*", "?utf8.cut-off-by-empty-fragment"],
    ),
    (Fault::EndsAtEmptyFragment, &["fragment.*empty*"]),
    (
        Fault::TakesFragmentedControl,
        &["control.*-unfinished", "control.*-in-two-fragments"],
    ),
    (Fault::TakesLongControl, &["control.*-126"]),
    (
        Fault::NoPong,
        &[
            "control.ping*",
            "?fragment.ping*",
            "?framing.*",
            "?deflate.own-bits",
            "?deflate.ping*",
        ],
    ),
    (
        Fault::RefusesPing125,
        &["control.ping-125", "?control.ping-chopped"],
    ),
    (Fault::PongsLastOnly, &["control.pings-in-a-row"]),
    (
        Fault::WrongPong,
        &[
            "control.ping*",
            "?fragment.ping*",
            "?framing.*",
            "?deflate.own-bits",
            "?deflate.ping*",
        ],
    ),
    (
        Fault::EmptyPong,
        &[
            "control.ping*",
            "?fragment.ping*",
            "?framing.*",
            "?deflate.own-bits",
            "?deflate.ping*",
        ],
    ),
    (
        Fault::AnswersPongs,
        &["control.pong-unasked", "?control.ping-after-pong"],
    ),
    (
        Fault::FailsPong,
        &[
            "control.pong-unasked",
            "?control.ping-after-pong",
            "fragment.pong-between",
        ],
    ),
    (
        Fault::LosesOrder,
        &["fragment.all-in-one-write", "?close.answers-come-first"],
    ),
    (
        Fault::Merges,
        &["fragment.all-in-one-write", "?close.answers-come-first"],
    ),
];

pub(super) const TEXT: &[Row] = &[
    (
        Fault::TakesInvalidUtf8,
        &[
            "utf8.invalid-*",
            "utf8.cut-off-*",
            "?utf8.fail-fast-*",
            "?deflate.invalid-utf8",
        ],
    ),
    (
        Fault::ReplacesInvalidUtf8,
        &[
            "utf8.invalid-*",
            "utf8.cut-off-*",
            "?utf8.fail-fast-*",
            "?deflate.invalid-utf8",
        ],
    ),
    (
        Fault::WrongCodeForUtf8,
        &[
            "utf8.invalid-*",
            "utf8.cut-off-*",
            "?utf8.fail-fast-*",
            "?deflate.invalid-utf8",
        ],
    ),
    (
        Fault::ValidatesFragments,
        &["utf8.split-*", "?deflate.fragments-of-*"],
    ),
    (Fault::TakesSurrogates, &["utf8.invalid-*surrogate-*"]),
    (Fault::TakesOverlong, &["utf8.invalid-*overlong-*"]),
    (
        Fault::TakesAbove10ffff,
        &[
            "utf8.invalid-*above-u10ffff",
            "utf8.invalid-*lead-f5",
            "?utf8.fail-fast-*",
        ],
    ),
    (
        Fault::TakesTruncated,
        &[
            "utf8.invalid-*alone",
            "utf8.invalid-*-and-*",
            "utf8.cut-off-*",
        ],
    ),
    (
        Fault::TakesInterrupted,
        &[
            "utf8.invalid-*-and-ascii",
            "utf8.invalid-*two-leads",
            "utf8.invalid-*latin-1",
            "?deflate.invalid-utf8",
        ],
    ),
    (Fault::TakesStrayByte, &["utf8.invalid-*stray-*"]),
    (
        Fault::TakesInvalidByte,
        &[
            "utf8.invalid-*five-bytes",
            "utf8.invalid-*six-bytes",
            "utf8.invalid-*byte-*",
        ],
    ),
    (Fault::RefusesNonCharacters, &["utf8.*noncharacter-*"]),
    (Fault::RefusesNul, &["utf8.*-nul", "?deflate.hundreds"]),
    (Fault::StripsBom, &["utf8.*byte-order-mark"]),
    (Fault::NotFailFast, &["utf8.fail-fast-*"]),
];

pub(super) const CLOSE: &[Row] = &[
    (
        Fault::TakesInvalidReason,
        &["close.reason-not-utf8", "close.reason-*"],
    ),
    (Fault::TakesClose1Byte, &["close.one-byte"]),
    (Fault::Answers1005, &["close.without-code"]),
    (
        Fault::EchoesAfterClose,
        &["close.then-text", "?close.then-*"],
    ),
    (
        Fault::PongsAfterClose,
        &["close.then-ping", "?close.then-*"],
    ),
    (Fault::RefusesReason123, &["close.reason-123-bytes"]),
    (Fault::RefusesEmptyClose, &["close.without-code"]),
    (
        Fault::TakesClose0To999,
        &[
            "close.invalid-code-0",
            "close.invalid-code-999",
            "?close.invalid-code-1",
        ],
    ),
    (Fault::TakesClose1004, &["close.invalid-code-1004"]),
    (Fault::TakesClose1005, &["close.invalid-code-1005"]),
    (Fault::TakesClose1006, &["close.invalid-code-1006"]),
    (Fault::TakesClose1015, &["close.invalid-code-1015"]),
    (
        Fault::TakesClose1016To2999,
        &[
            "close.invalid-code-1016",
            "close.invalid-code-2999",
            "?close.invalid-code-1*",
            "?close.invalid-code-2*",
        ],
    ),
    (
        Fault::TakesClose5000Up,
        &[
            "close.invalid-code-5000",
            "close.invalid-code-65535",
            "?close.invalid-code-*",
        ],
    ),
    (Fault::RefusesClose1001, &["close.code-1001"]),
    (Fault::RefusesClose1003, &["close.code-1003"]),
    (Fault::RefusesClose1007, &["close.code-1007"]),
    (Fault::RefusesClose1008, &["close.code-1008"]),
    (Fault::RefusesClose1009, &["close.code-1009"]),
    (Fault::RefusesClose1010, &["close.code-1010"]),
    (Fault::RefusesClose1011, &["close.code-1011"]),
    (Fault::RefusesClose1012, &["close.code-1012"]),
    (Fault::RefusesClose1013, &["close.code-1013"]),
    (Fault::RefusesClose1014, &["close.code-1014"]),
    (Fault::RefusesClose3000To3999, &["close.code-3*"]),
    (Fault::RefusesClose4000To4999, &["close.code-4*"]),
];

pub(super) const OPENING: &[Row] = &[
    (
        Fault::TakesPost,
        &[
            "opening.bad-post",
            "?opening.bad-put",
            "?opening.bad-method-*",
        ],
    ),
    (Fault::TakesHttp10, &["opening.bad-http-1.0"]),
    (Fault::TakesNoUpgrade, &["opening.bad-no-upgrade"]),
    (Fault::TakesOtherUpgrade, &["opening.bad-upgrade-to-*"]),
    (
        Fault::TakesNoConnection,
        &["opening.bad-no-connection", "opening.bad-connection-*"],
    ),
    (Fault::TakesNoKey, &["opening.bad-no-key"]),
    (
        Fault::TakesShortKey,
        &["opening.bad-key-of-*", "?opening.bad-empty-key"],
    ),
    (Fault::TakesNoBase64Key, &["opening.bad-key-not-base64"]),
    (Fault::TakesTwoKeys, &["opening.bad-two-keys"]),
    (Fault::TakesTwoVersions, &["opening.bad-two-versions"]),
    (Fault::TakesNoVersion, &["opening.bad-no-version"]),
    (Fault::TakesNoHost, &["opening.bad-no-host"]),
    (Fault::TakesTwoHosts, &["opening.bad-two-hosts"]),
    (
        Fault::CaseSensitiveUpgrade,
        &["opening.good-upgrade-in-other-case"],
    ),
    (
        Fault::CaseSensitiveConnection,
        &["opening.good-connection-in-other-case"],
    ),
    (Fault::CaseSensitiveNames, &["opening.good-names-in-*"]),
    (
        Fault::NoConnectionLists,
        &[
            "opening.good-connection-list",
            "?opening.good-connection-in-two-lines",
        ],
    ),
    (
        Fault::SubprotocolNotOffered,
        &[
            "opening.answer-no-subprotocol",
            "opening.answer-subprotocol",
        ],
    ),
    (Fault::TwoSubprotocols, &["opening.answer-subprotocol"]),
    (Fault::ExtensionNotOffered, &["opening.answer-no-extension"]),
    (Fault::LengthIn101, &["opening.answer-no-body"]),
    (
        Fault::LosesPipelined,
        &["smuggling.second-request", "?opening.good-frame-behind"],
    ),
    (
        Fault::TakesVersion8,
        &["opening.version-*", "?opening.good-after-refusal"],
    ),
    (Fault::No426, &["opening.version-*"]),
    (
        Fault::TakesSpaceBeforeColon,
        &["smuggling.space-before-colon"],
    ),
    (
        Fault::TakesTransferEncoding,
        &[
            "smuggling.unknown-transfer-coding",
            "?smuggling.body-in-chunks",
        ],
    ),
    (
        Fault::TakesContentLength,
        &["smuggling.body-with-length", "smuggling.*content-length*"],
    ),
    (
        Fault::TakesNul,
        &["smuggling.nul-in-value", "?smuggling.bare-cr-in-value"],
    ),
    (Fault::TakesInvalidName, &["smuggling.name-with-space"]),
];

pub(super) const DEFLATE: &[Row] = &[
    (
        Fault::TakesUnknownParameter,
        &["agreement.declines-unknown-*"],
    ),
    (
        Fault::TakesDuplicateParameter,
        &["agreement.declines-*-twice"],
    ),
    (Fault::TakesBits7, &["agreement.declines-*-window-7"]),
    (Fault::TakesBits16, &["agreement.declines-*-window-16"]),
    (Fault::TakesBits08, &["agreement.declines-*-window-0*"]),
    (
        Fault::TakesBitsEmpty,
        &["agreement.declines-server-window-without-value"],
    ),
    (
        Fault::TakesTakeoverValue,
        &["agreement.declines-*-context-with-value"],
    ),
    (
        Fault::KeepsContext,
        &["agreement.server-no-context", "?agreement.takes-*"],
    ),
    (
        Fault::DropsServerNoTakeover,
        &["agreement.server-no-context"],
    ),
    (Fault::LargerWindow, &["agreement.server-window-*"]),
    (Fault::AgreesLargerWindow, &["agreement.server-window-*"]),
    (Fault::AnswersClientBits, &["agreement.takes-*"]),
    (
        Fault::TakesRsv1OnContinuation,
        &["deflate.rsv1-on-both-fragments"],
    ),
    (Fault::TakesLateRsv1, &["deflate.rsv1-on-continuation"]),
    (
        Fault::TakesRsv1OnControl,
        &["deflate.rsv1-on-ping", "?deflate.rsv1-on-close"],
    ),
    (Fault::WritesRsv1OnPong, &["deflate.own-bits"]),
    (Fault::FailsBfinal, &["deflate.example-final-block"]),
    (
        Fault::FailsEmptyCompressed,
        &["deflate.example-empty*", "deflate.*-0", "?deflate.hundreds"],
    ),
    (
        Fault::InflatesFragments,
        &[
            "deflate.fragments-of-*",
            "deflate.example-in-two-fragments",
            "?deflate.ping-between-fragments",
        ],
    ),
    (Fault::TakesCompressedInvalidUtf8, &["deflate.invalid-utf8"]),
    (Fault::TakesInvalidDeflate, &["deflate.invalid-*"]),
    (
        Fault::ForgetsPeerContext,
        &[
            "deflate.far-back",
            "deflate.text-1000",
            "?deflate.*",
            "?agreement.takes-*",
        ],
    ),
    (
        Fault::OwnContextDiverges,
        &["deflate.hundreds", "?deflate.*", "?agreement.*"],
    ),
    (
        Fault::LeavesTail,
        &["deflate.text-125", "?deflate.*", "?agreement.*"],
    ),
    (
        Fault::FailsUncompressed,
        &["deflate.plain-between", "?deflate.*", "?agreement.*"],
    ),
    (
        Fault::NoRsv1,
        &["deflate.text-125", "?deflate.*", "?agreement.*"],
    ),
    (
        Fault::FalseRsv1,
        &["deflate.text-0", "?deflate.*", "?agreement.*"],
    ),
];

/// What shows wherever it is looked: only these cases are tried.
pub(super) const EVERYWHERE: &[Row] = &[
    (
        Fault::SwapsLength16,
        &["length.text-126", "length.binary-127"],
    ),
    (
        Fault::FailsManyFragments,
        &["utf8.split-greek", "deflate.fragments-of-1"],
    ),
    (
        Fault::EchoesFragments,
        &["fragment.text-two", "fragment.binary-three"],
    ),
    (
        Fault::DropsFragmentedMessages,
        &["fragment.text-two", "fragment.binary-three"],
    ),
    (
        Fault::DropsEmpty,
        &[
            "length.text-0",
            "length.binary-0",
            "fragment.text-all-empty",
        ],
    ),
    (Fault::TextAsBinary, &["length.text-1", "utf8.valid-nul"]),
    (
        Fault::BinaryAsText,
        &["length.binary-1", "fragment.binary-two"],
    ),
    (
        Fault::CutsLarge,
        &["length.text-65536", "length.binary-65536"],
    ),
    (Fault::IgnoresClose, &["close.code-1000", "close.code-4999"]),
    (Fault::DropsAtClose, &["close.code-1000", "close.code-4999"]),
    (
        Fault::AnswersOtherCode,
        &["close.code-1000", "close.code-4999"],
    ),
    (Fault::RefusesClose1000, &["close.code-1000"]),
    (
        Fault::DataAfterClose,
        &["close.code-1000", "close.code-4999"],
    ),
    (Fault::KeepsTcp, &["close.code-1000", "close.code-4999"]),
    (
        Fault::WrongCodeForProtocol,
        &["framing.rsv1-text", "close.invalid-code-999"],
    ),
    (
        Fault::FailsWithoutClose,
        &["framing.rsv1-text", "close.invalid-code-999"],
    ),
    (
        Fault::FailsWith1000,
        &["framing.rsv1-text", "close.invalid-code-999"],
    ),
    (
        Fault::FailsNotAtAll,
        &["framing.rsv1-text", "close.invalid-code-999"],
    ),
    (Fault::BodyIn101, &["opening.answer-no-body"]),
    (
        Fault::TakesCrossSite,
        &["hostile.origin-of-another-site", "hostile.origin-null"],
    ),
];

/// Without a right response cases are skipped: the command says so.
pub(super) const NO_HANDSHAKE: [Fault; 5] = [
    Fault::WrongAccept,
    Fault::NoAccept,
    Fault::NoUpgradeInResponse,
    Fault::NoConnectionInResponse,
    Fault::Status200,
];

/// What is observed and not judged, takes long to see, or cannot be seen yet.
pub(super) const NOT_TRIED: [Fault; 13] = [
    Fault::TakesFragment,
    Fault::Status400ForVersion,
    Fault::TakesFolding,
    Fault::TakesBareLf,
    Fault::IgnoresQuotes,
    Fault::FirstOfferOnly,
    Fault::WrongCodeForTooBig,
    Fault::NoLimit,
    Fault::BuffersAll,
    Fault::NoFrameDeadline,
    Fault::NoHandshakeDeadline,
    Fault::HeadWithoutLimit,
    Fault::BombWithoutLimit,
];

/// What breaks a MUST and is taken for lenient: a server need not decode a key (RFC 6455
/// section 4.2.2).
pub(super) const LENIENT: [Fault; 2] = [Fault::TakesShortKey, Fault::TakesNoBase64Key];
