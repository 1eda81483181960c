"""The attributes Twilio knows, by element; any other one is its warning 12200."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ATTRIBUTES = {
    "Response": _names(""),
    "Say": _names("voice loop language"),
    "Play": _names("loop digits"),
    "Pause": _names("length"),
    "Hangup": _names(""),
    "Reject": _names("reason"),
    "Redirect": _names("method"),
    "Gather": _names(
        "input action method timeout speechTimeout maxSpeechTime profanityFilter"
        " finishOnKey numDigits partialResultCallback partialResultCallbackMethod"
        " language hints bargeIn debug actionOnEmptyResult speechModel enhanced"
    ),
    "Dial": _names(
        "action method timeout hangupOnStar timeLimit callerId record trim"
        " recordingStatusCallback recordingStatusCallbackMethod"
        " recordingStatusCallbackEvent answerOnBridge ringTone recordingTrack"
        " sequential referUrl referMethod events"
    ),
    "Number": _names(
        "sendDigits url method statusCallbackEvent statusCallback statusCallbackMethod"
        " byoc machineDetection amdStatusCallbackMethod amdStatusCallback"
        " machineDetectionTimeout machineDetectionSpeechThreshold"
        " machineDetectionSpeechEndThreshold machineDetectionSilenceTimeout"
    ),
    "Start": _names(""),
    "Recording": _names(
        "recordingStatusCallback recordingStatusCallbackMethod"
        " recordingStatusCallbackEvent trim track channels"
    ),
    "Connect": _names("action method"),
    "Parameter": _names("name value"),
    "Language": _names(
        "code ttsProvider voice transcriptionProvider speechModel hints"
        " deepgramSmartFormat asrSmartFormat elevenlabsTextNormalization"
        " ttsTextNormalization ttsLanguageTextNormalization"
        " elevenlabsLanguageTextNormalization"
    ),
    "ConversationRelay": _names(
        "url welcomeGreeting welcomeGreetingInterruptible"
        " language ttsLanguage transcriptionLanguage ttsProvider voice"
        " transcriptionProvider speechModel interruptible"
        " interruptSensitivity reportInputDuringAgentSpeech ignoreBackchannel"
        " preemptible partialPrompts dtmfDetection profanityFilter speechTimeout"
        " eotThreshold eagerEotThreshold hints deepgramSmartFormat"
        " elevenlabsTextNormalization events debug intelligenceService"
        " conversationConfiguration backgroundNoiseReduction asrSmartFormat"
        " ttsTextNormalization ttsLanguageTextNormalization"
        " elevenlabsLanguageTextNormalization includeInPrompt"
        " partialPromptOnHangup applicationReconnect echoPromptFiltering"
        " turnDetection customerName"
    ),
}
KNOWN_BUT_NOT_PLAYED = _names(
    "Record Enqueue Leave Sms Pay Refer Prompt Stop Stream Siprec"
    " Transcription Conference Queue Client Sip Sim Application Message Echo AiSession"
    " Assistant VirtualAgent"
)
