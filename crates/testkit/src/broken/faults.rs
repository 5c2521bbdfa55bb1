//! What can be broken, each fault one rule.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Who can have a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The server alone.
    Server,
    /// The client alone.
    Client,
    /// Either.
    Both,
}

/// Whether a tester must fail a peer that has a fault, by what it sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The RFC says MUST, or what the peer says is not what it was told.
    Strict,
    /// The RFC says SHOULD or leaves it open, or the answer is one that a peer
    /// without the fault may give too: worth telling.
    Informational,
}

/// A fault as the list has it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Entry {
    /// Which.
    #[serde(skip)]
    pub fault: Fault,
    /// What `--break` calls it.
    pub name: &'static str,
    /// Who can have it.
    pub role: Role,
    /// How bad it is.
    pub level: Level,
    /// The section that says otherwise.
    pub section: &'static str,
    /// What a peer with it does.
    pub does: &'static str,
}

macro_rules! faults {
    ($($section:literal { $($fault:ident $role:ident $level:ident $name:literal $does:literal)+ })+) => {
        /// A rule that is broken.
        // Its texts are for a terminal, where backticks would be noise.
        #[allow(clippy::doc_markdown)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Fault {
            $($(#[doc = $does] $fault,)+)+
        }

        /// All faults.
        pub const FAULTS: &[Entry] = &[$($(Entry {
            fault: Fault::$fault,
            name: $name,
            role: Role::$role,
            level: Level::$level,
            section: $section,
            does: $does,
        },)+)+];
    };
}

faults! {
    "RFC 6455 5.1" {
        TakesUnmasked Server Strict "takes-unmasked" "takes frames of a client that are not masked"
        TakesMasked Client Strict "takes-masked" "takes frames of a server that are masked"
        MasksFrames Server Strict "masks-frames" "masks what a server sends"
        DoesNotMask Client Strict "does-not-mask" "does not mask what a client sends"
    }
    "RFC 6455 5.3" {
        SameMaskingKey Client Informational "same-masking-key" "masks every frame with the same key"
    }
    "RFC 6455 5.2" {
        TakesRsv1 Both Strict "takes-rsv1" "takes RSV1 where no extension gives it a meaning"
        TakesRsv2 Both Strict "takes-rsv2" "takes RSV2"
        TakesRsv3 Both Strict "takes-rsv3" "takes RSV3"
        WritesRsv2 Both Strict "writes-rsv2" "sets RSV2 in what it sends"
        TakesReservedData Both Strict "takes-reserved-data-opcodes" "passes over frames of opcodes 3 to 7"
        TakesReservedControl Both Strict "takes-reserved-control-opcodes" "passes over frames of opcodes 0xB to 0xF"
        TakesLongForm16 Both Informational "takes-long-form-16" "takes a length below 126 in 16 bits"
        TakesLongForm64 Both Informational "takes-long-form-64" "takes a length below 65536 in 64 bits"
        TakesTopBit Both Strict "takes-length-top-bit" "takes a 64-bit length whose top bit is set, without that bit"
        Writes125In16 Both Strict "writes-125-in-16-bits" "writes the length 125 in 16 bits"
        Writes126In7 Both Strict "writes-126-in-7-bits" "writes the length 126 in 7 bits, where it announces 16 more"
        Writes127In7 Both Strict "writes-127-in-7-bits" "writes the length 127 in 7 bits, where it announces 64 more"
        Writes65535In64 Both Strict "writes-65535-in-64-bits" "writes the length 65535 in 64 bits"
        Writes65536In16 Both Strict "writes-65536-in-16-bits" "writes the length 65536 in 16 bits, where it is 0"
        Refuses125 Both Strict "refuses-125" "fails at data frames of 125 bytes"
        Refuses126 Both Strict "refuses-126" "fails at data frames of 126 bytes"
        Refuses127 Both Strict "refuses-127" "fails at data frames of 127 bytes"
        Refuses65535 Both Strict "refuses-65535" "fails at data frames of 65535 bytes"
        Refuses65536 Both Strict "refuses-65536" "fails at data frames of 65536 bytes"
        SwapsLength16 Both Strict "swaps-16-bit-lengths" "reads 16-bit lengths with the low byte first"
    }
    "RFC 6455 5.4" {
        TakesStrayContinuation Both Strict "takes-stray-continuation" "takes a continuation of nothing as a binary message"
        TakesNestedMessage Both Strict "takes-nested-message" "takes a new data frame within a fragmented message as its continuation"
        FailsInterleavedControl Both Strict "fails-interleaved-control" "fails at a control frame between fragments"
        PongsLate Both Informational "pongs-late" "answers a ping between fragments when the message has ended"
        FailsEmptyFragment Both Strict "fails-empty-fragment" "fails at a fragment without bytes"
        EndsAtEmptyFragment Both Strict "ends-at-empty-fragment" "takes a fragment without bytes for the last one"
        FailsManyFragments Both Strict "fails-many-fragments" "fails at the eighth fragment of a message"
        EchoesFragments Both Strict "echoes-fragments" "answers each fragment as a message of its own"
        DropsFragmentedMessages Both Strict "drops-fragmented-messages" "does not answer messages of more than one fragment"
    }
    "RFC 6455 5.5" {
        TakesFragmentedControl Both Strict "takes-fragmented-control" "takes a control frame that is not final"
        TakesLongControl Both Strict "takes-long-control" "takes a control frame of more than 125 bytes"
        WritesFragmentedPong Both Strict "writes-fragmented-pong" "sends pongs that are not final"
    }
    "RFC 6455 5.5.2" {
        NoPong Both Strict "no-pong" "does not answer pings"
        RefusesPing125 Both Strict "refuses-ping-of-125" "fails at a ping of 125 bytes"
        PongsLastOnly Both Informational "pongs-last-only" "answers only the last of the pings that came together, as section 5.5.3 allows"
    }
    "RFC 6455 5.5.3" {
        WrongPong Both Strict "wrong-pong-payload" "answers pings with another payload"
        EmptyPong Both Strict "empty-pong" "answers pings without their payload"
        AnswersPongs Both Informational "answers-pongs" "answers pongs with pongs"
        FailsPong Both Strict "fails-unsolicited-pong" "fails at a pong that it did not ask for"
    }
    "RFC 6455 8.1" {
        TakesInvalidUtf8 Both Strict "takes-invalid-utf8" "takes text that is no UTF-8"
        ValidatesFragments Both Strict "validates-each-fragment" "fails where a character spans two fragments"
        TakesSurrogates Both Strict "takes-surrogates" "takes surrogates as characters of a text"
        TakesOverlong Both Strict "takes-overlong" "takes characters in more bytes than they need"
        TakesAbove10ffff Both Strict "takes-above-10ffff" "takes characters above U+10FFFF in four bytes"
        TakesTruncated Both Strict "takes-truncated" "takes a text that ends within a character"
        TakesInterrupted Both Strict "takes-interrupted" "takes a character that another one interrupts"
        TakesStrayByte Both Strict "takes-stray-utf8-byte" "takes a continuation byte without a start"
        TakesInvalidByte Both Strict "takes-bytes-f8-to-ff" "takes characters of five and six bytes, and the bytes 0xFE and 0xFF"
        ReplacesInvalidUtf8 Both Strict "replaces-invalid-utf8" "puts U+FFFD where a text is no UTF-8"
        RefusesNonCharacters Both Strict "refuses-noncharacters" "fails at U+FFFE and U+FFFF, which are valid UTF-8"
        RefusesNul Both Strict "refuses-nul" "fails at U+0000 in a text"
        StripsBom Both Strict "strips-bom" "leaves out a byte order mark at the start of a text"
        NotFailFast Both Informational "not-fail-fast" "looks at a text when it has all of it"
        TakesInvalidReason Both Strict "takes-invalid-close-reason" "takes a close reason that is no UTF-8"
        WrongCodeForUtf8 Both Informational "wrong-code-for-utf8" "closes with 1002 at invalid UTF-8 and not with 1007"
    }
    "RFC 6455 5.5.1" {
        TakesClose1Byte Both Informational "takes-close-of-1-byte" "takes a Close frame with half a code"
        IgnoresClose Both Strict "ignores-close" "goes on as if a Close frame had not come"
        DropsAtClose Both Strict "drops-at-close" "ends the connection at a Close frame without an answer"
        AnswersOtherCode Both Informational "answers-other-code" "answers a Close frame with another code"
        Answers1005 Both Strict "answers-1005" "answers an empty Close frame with the code 1005 on the wire"
        DataAfterClose Both Strict "data-after-close" "sends a message after its Close frame"
        EchoesAfterClose Both Strict "echoes-after-close" "answers messages that come after a Close frame"
        PongsAfterClose Both Informational "pongs-after-close" "answers pings that come after a Close frame"
        RefusesReason123 Both Informational "refuses-close-reason-of-123" "fails at a close reason of 123 bytes"
        RefusesEmptyClose Both Informational "refuses-empty-close" "fails at a Close frame without a code"
    }
    "RFC 6455 7.1.1" {
        KeepsTcp Server Informational "keeps-tcp" "leaves the TCP connection open after the closing handshake"
    }
    "RFC 6455 7.4" {
        TakesClose0To999 Both Strict "takes-close-0-999" "takes close codes below 1000"
        TakesClose1004 Both Strict "takes-close-1004" "takes the close code 1004, which is reserved"
        TakesClose1005 Both Strict "takes-close-1005" "takes the close code 1005 on the wire"
        TakesClose1006 Both Strict "takes-close-1006" "takes the close code 1006 on the wire"
        TakesClose1015 Both Strict "takes-close-1015" "takes the close code 1015 on the wire"
        TakesClose1016To2999 Both Informational "takes-close-1016-2999" "takes close codes that no RFC defines yet"
        TakesClose5000Up Both Informational "takes-close-5000-up" "takes close codes above 4999"
        RefusesClose1000 Both Informational "refuses-close-1000" "fails at the close code 1000"
        RefusesClose1001 Both Informational "refuses-close-1001" "fails at the close code 1001"
        RefusesClose1003 Both Informational "refuses-close-1003" "fails at the close code 1003"
        RefusesClose1007 Both Informational "refuses-close-1007" "fails at the close code 1007"
        RefusesClose1008 Both Informational "refuses-close-1008" "fails at the close code 1008"
        RefusesClose1009 Both Informational "refuses-close-1009" "fails at the close code 1009"
        RefusesClose1010 Server Informational "refuses-close-1010" "fails at the close code 1010"
        RefusesClose1011 Both Informational "refuses-close-1011" "fails at the close code 1011"
        RefusesClose1012 Both Informational "refuses-close-1012" "fails at the close code 1012, which is registered with IANA"
        RefusesClose1013 Both Informational "refuses-close-1013" "fails at the close code 1013, which is registered with IANA"
        RefusesClose1014 Both Informational "refuses-close-1014" "fails at the close code 1014, which is registered with IANA"
        RefusesClose3000To3999 Both Informational "refuses-close-3000-3999" "fails at the close codes of libraries"
        RefusesClose4000To4999 Both Informational "refuses-close-4000-4999" "fails at the close codes of applications"
        WrongCodeForProtocol Both Informational "wrong-code-for-protocol-error" "closes with 1008 at a protocol error and not with 1002"
        WrongCodeForTooBig Both Informational "wrong-code-for-too-big" "closes with 1008 at a message that is too big and not with 1009"
        FailsWithoutClose Both Informational "fails-without-close" "ends the connection without a Close frame where it fails it"
        FailsWith1000 Both Informational "fails-with-1000" "closes with 1000 where it fails the connection"
        FailsNotAtAll Both Strict "keeps-tcp-after-failure" "leaves the TCP connection open where it fails it"
    }
    "RFC 6455 5.6" {
        DropsEmpty Both Strict "drops-empty-messages" "does not answer empty messages"
        TextAsBinary Both Strict "text-as-binary" "answers texts with binary messages"
        BinaryAsText Both Strict "binary-as-text" "answers binary messages with texts"
        CutsLarge Both Strict "cuts-large-messages" "answers messages above 65535 bytes with their first 65535"
    }
    "RFC 6455 6.2" {
        LosesOrder Both Strict "loses-order" "answers two messages that came together in the wrong order"
        Merges Both Strict "merges-messages" "answers two messages that came together with one"
    }
    "RFC 6455 10.4" {
        NoLimit Both Informational "no-message-limit" "takes messages of any size, to 1 GiB"
        BuffersAll Server Informational "buffers-without-bound" "reads on while its answers are not read"
        NoFrameDeadline Both Informational "no-frame-deadline" "waits an hour for the rest of a frame"
        NoHandshakeDeadline Server Informational "no-handshake-deadline" "waits an hour for the rest of a request"
        HeadWithoutLimit Server Informational "head-without-limit" "reads requests of up to 1 MiB and 20000 fields"
    }
    "RFC 6455 4.2.1" {
        TakesPost Server Strict "accepts-post" "accepts a handshake by POST"
        TakesHttp10 Server Strict "accepts-http-1.0" "accepts a handshake in HTTP/1.0"
        TakesNoUpgrade Server Strict "accepts-without-upgrade" "accepts a request without Upgrade"
        TakesOtherUpgrade Server Strict "accepts-other-upgrade" "accepts a request to upgrade to another protocol"
        TakesNoConnection Server Strict "accepts-without-connection" "accepts a request whose Connection has no upgrade"
        TakesNoKey Server Strict "accepts-without-key" "accepts a request without Sec-WebSocket-Key"
        TakesShortKey Server Strict "accepts-short-key" "accepts a key that is not 16 bytes"
        TakesNoBase64Key Server Strict "accepts-key-of-no-base64" "accepts a key that is no base64"
        TakesTwoKeys Server Strict "accepts-two-keys" "accepts a request with two keys"
        TakesNoVersion Server Strict "accepts-without-version" "accepts a request without Sec-WebSocket-Version"
        TakesTwoVersions Server Strict "accepts-two-versions" "accepts a request with two versions, 13 the first"
        TakesNoHost Server Strict "accepts-without-host" "accepts a request without Host"
        TakesTwoHosts Server Strict "accepts-two-hosts" "accepts a request with two Hosts"
        CaseSensitiveUpgrade Server Strict "case-sensitive-upgrade" "takes Upgrade in lower case alone"
        CaseSensitiveConnection Server Strict "case-sensitive-connection" "takes Connection: Upgrade in no other case"
        CaseSensitiveNames Server Strict "case-sensitive-names" "knows Sec-WebSocket-Key in this spelling alone"
        NoConnectionLists Server Strict "no-connection-lists" "takes Connection: keep-alive, Upgrade for something else"
        TakesFragment Server Informational "accepts-fragment-in-target" "accepts a target with a fragment identifier"
    }
    "RFC 6455 4.2.2" {
        WrongAccept Server Strict "wrong-accept" "answers with a wrong Sec-WebSocket-Accept"
        NoAccept Server Strict "no-accept" "answers without Sec-WebSocket-Accept"
        NoUpgradeInResponse Server Strict "no-upgrade-in-response" "answers without Upgrade"
        NoConnectionInResponse Server Strict "no-connection-in-response" "answers without Connection"
        Status200 Server Strict "accepts-with-200" "accepts with the status 200"
        SubprotocolNotOffered Server Strict "subprotocol-not-offered" "selects a subprotocol that the client did not offer"
        TwoSubprotocols Server Strict "two-subprotocols" "selects all subprotocols that were offered"
        ExtensionNotOffered Server Strict "extension-not-offered" "agrees to an extension that the client did not offer"
        LengthIn101 Server Strict "length-in-101" "sends Content-Length with its 101 (RFC 9110 section 8.6)"
        BodyIn101 Server Strict "body-in-101" "sends a body behind its 101"
        LosesPipelined Both Strict "loses-early-frames" "loses frames that come in one piece with the head of the handshake"
        TakesCrossSite Server Informational "accepts-cross-site" "accepts browsers that show a page of another site"
    }
    "RFC 6455 4.4" {
        TakesVersion8 Server Strict "accepts-version-8" "accepts other versions than 13"
        No426 Server Strict "no-versions-told" "refuses other versions without telling its own"
        Status400ForVersion Server Informational "status-400-for-version" "refuses other versions with 400 and not with 426"
    }
    "RFC 9112" {
        TakesSpaceBeforeColon Server Strict "accepts-space-before-colon" "accepts a space between a field's name and its colon"
        TakesFolding Server Informational "accepts-folded-field" "accepts a field that goes on in the next line"
        TakesBareLf Server Informational "accepts-bare-lf" "accepts lines that end without a carriage return"
        TakesTransferEncoding Server Informational "accepts-transfer-encoding" "accepts a handshake with Transfer-Encoding"
        TakesContentLength Server Strict "accepts-content-length" "accepts a handshake that announces a body"
        TakesNul Server Informational "accepts-nul-in-field" "accepts control characters in a field"
        TakesInvalidName Server Strict "accepts-invalid-field-name" "accepts a field name that is no token"
    }
    "RFC 6455 4.1" {
        WrongVersion Client Strict "asks-for-version-12" "asks for the version 12"
        NoVersion Client Strict "asks-without-version" "asks without a version"
        ShortKey Client Strict "key-of-15-bytes" "sends a key of 15 bytes"
        SameKey Client Strict "same-key" "sends the same key in each handshake"
        NoKey Client Strict "asks-without-key" "asks without a key"
        AsksNoUpgrade Client Strict "asks-without-upgrade" "asks without Upgrade"
        AsksNoConnection Client Strict "asks-without-connection" "asks without Connection: Upgrade"
        AsksNoHost Client Strict "asks-without-host" "asks without Host"
        AsksByPost Client Strict "asks-by-post" "asks with POST"
        AsksHttp10 Client Strict "asks-in-http-1.0" "asks in HTTP/1.0"
        FramesTooEarly Client Strict "sends-before-response" "sends a message before the handshake is answered"
        TakesStatus200 Client Strict "takes-status-200" "takes the status 200 for a handshake"
        TakesWrongAccept Client Strict "takes-wrong-accept" "takes any Sec-WebSocket-Accept"
        TakesNoAccept Client Strict "takes-no-accept" "takes a response without Sec-WebSocket-Accept"
        TakesResponseNoUpgrade Client Strict "takes-no-upgrade" "takes a response without Upgrade"
        TakesResponseOtherUpgrade Client Strict "takes-other-upgrade" "takes a response that upgrades to another protocol"
        TakesResponseNoConnection Client Strict "takes-no-connection" "takes a response without Connection: Upgrade"
        TakesOtherSubprotocol Client Strict "takes-other-subprotocol" "takes a subprotocol that it did not offer"
        TakesOtherExtension Client Strict "takes-other-extension" "takes an extension that it did not offer"
        CaseSensitiveResponse Client Strict "case-sensitive-response" "takes Upgrade: websocket in this case alone"
    }
    "RFC 7692 7.1" {
        TakesUnknownParameter Both Strict "takes-unknown-parameter" "takes a parameter that is not defined"
        TakesDuplicateParameter Both Strict "takes-duplicate-parameter" "takes a parameter that is given twice"
        TakesBits7 Both Strict "takes-window-bits-7" "takes window bits of 7"
        TakesBits16 Both Strict "takes-window-bits-16" "takes window bits of 16"
        TakesBits08 Both Strict "takes-window-bits-08" "takes window bits with a leading zero"
        TakesBitsEmpty Both Strict "takes-window-bits-empty" "takes server_max_window_bits without a value"
        TakesTakeoverValue Both Strict "takes-takeover-value" "takes a value of a parameter that has none"
        IgnoresQuotes Both Informational "no-quoted-parameters" "does not understand a quoted value"
        FirstOfferOnly Server Informational "one-offer-only" "looks at the first of several offers alone"
    }
    "RFC 7692 7.1.1.1" {
        KeepsContext Both Strict "keeps-context" "keeps its context where it agreed to start each message without one"
        DropsServerNoTakeover Server Strict "leaves-out-server-no-takeover" "accepts server_no_context_takeover without saying so"
    }
    "RFC 7692 7.1.2.1" {
        LargerWindow Both Strict "larger-window" "uses a window of 32 KiB where a smaller one was agreed on"
        AgreesLargerWindow Server Strict "agrees-to-larger-window" "answers server_max_window_bits with a larger value"
    }
    "RFC 7692 7.1.2.2" {
        AnswersClientBits Server Strict "client-bits-not-offered" "answers client_max_window_bits though it was not offered"
        TakesClientBits Client Strict "takes-client-bits-not-offered" "takes client_max_window_bits though it did not offer it"
    }
    "RFC 7692 6" {
        TakesRsv1OnContinuation Both Strict "takes-rsv1-on-continuation" "takes RSV1 on a later fragment of a compressed message"
        TakesLateRsv1 Both Strict "takes-late-rsv1" "takes RSV1 on a later fragment of an uncompressed message"
        TakesRsv1OnControl Both Strict "takes-rsv1-on-control" "takes RSV1 on a control frame"
        WritesRsv1OnPong Both Strict "writes-rsv1-on-pong" "sets RSV1 on pongs"
        NoRsv1 Both Strict "compresses-without-rsv1" "does not set RSV1 on what it compresses"
        FalseRsv1 Both Strict "rsv1-without-compression" "sets RSV1 on what it does not compress"
        FailsUncompressed Both Strict "fails-uncompressed" "fails at a message that is not compressed"
    }
    "RFC 7692 7.2.1" {
        LeavesTail Both Strict "leaves-tail" "leaves 00 00 FF FF at the end of messages"
        OwnContextDiverges Both Strict "own-context-diverges" "compresses with a context that the peer cannot have"
    }
    "RFC 7692 7.2.2" {
        InflatesFragments Both Strict "inflates-each-fragment" "inflates each fragment by itself"
        ForgetsPeerContext Both Strict "forgets-peer-context" "forgets the peer's context between messages"
        FailsBfinal Both Strict "fails-bfinal" "fails at a block with BFINAL set"
        FailsEmptyCompressed Both Strict "fails-empty-compressed" "fails at an empty compressed message"
        TakesCompressedInvalidUtf8 Both Strict "takes-compressed-invalid-utf8" "takes compressed text that is no UTF-8"
        TakesInvalidDeflate Both Strict "takes-invalid-deflate" "takes what it understood of invalid compressed data"
        BombWithoutLimit Both Informational "inflates-without-bound" "inflates messages to any size, to 1 GiB"
    }
}

/// The one rule to break, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan(pub Option<Fault>);

impl Plan {
    /// Whether this rule is broken.
    pub fn breaks(self, fault: Fault) -> bool {
        self.0 == Some(fault)
    }
}

impl Fault {
    /// What the list says of it.
    pub fn entry(self) -> &'static Entry {
        // The list has the enum's order: both are made of one table.
        &FAULTS[self as usize]
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry().name)
    }
}

/// A fault that no list has.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected the name of a fault, got {0:?}; --list has them all")]
pub struct UnknownFault(pub String);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        let found = FAULTS.iter().find(|entry| entry.name == name);
        found
            .map(|entry| entry.fault)
            .ok_or_else(|| UnknownFault(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own_and_is_found_by_it() {
        for (at, entry) in FAULTS.iter().enumerate() {
            assert_eq!(entry.fault as usize, at);
            assert_eq!(entry.name.parse(), Ok(entry.fault), "{}", entry.name);
            assert_eq!(entry.fault.to_string(), entry.name);
        }
        assert_eq!(
            "no-such".parse::<Fault>(),
            Err(UnknownFault("no-such".to_owned()))
        );
    }
}
