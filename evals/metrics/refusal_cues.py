"""The phrases by which systems refuse, in English, Spanish, German and French, some of Italian and Portuguese.

Data for `evals.metrics.refusal`. Patterns are matched against one clause at a time.
"""

from __future__ import annotations

import re


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def _words(text: str) -> str:
    """Any of the words; "_" stands for a blank inside one."""
    return "(?:" + "|".join(text.split()).replace("_", " ") + ")"


_ANY_SOURCE = _words(
    "data reports? content statements? figures? details? sections? paragraphs? pages? files? results? 10-[KQ]"
)
_SOURCE = (
    r"(?:texts?|documents?|context|evidence|information|passages?|sources?|filings?|excerpts?|materials?|articles?|"
    r"search results|knowledge base|snippets?|(?:provided|given|available|retrieved|uploaded|attached) (?:\w+ )?"
    rf"{_ANY_SOURCE}|provided)"
)
_NOT = _words(
    "does_not do_not did_not doesn[’']t don[’']t didn[’']t is_not are_not isn[’']t aren[’']t fails?_to lacks?"
)
_STATE = _words(
    "contain provide include mention specify give state disclose discuss address say indicate cover offer show list "
    "reveal detail describe explain answer have present report break_down allow enable"
)
_CANNOT = _words(
    "cannot can_?not can[’']t could_not couldn[’']t am_unable_to [’']m_unable_to am_not_able_to [’']m_not_able_to "
    "are_unable_to were_unable_to was_unable_to wasn[’']t_able_to was_not_able_to haven[’']t_been_able_to "
    "would_not_be_able_to won[’']t_be_able_to will_not_be_able_to unable_to"
)
_TELL = _words(
    "provide answer determine find calculate compute access give assess help confirm say tell verify locate identify "
    "assist predict offer browse respond comment conclude make perform proceed retrieve complete derive estimate "
    "ascertain see extract share state evaluate compare analy[sz]e"
)
_TOLD = _words(
    "determined calculated answered computed established confirmed assessed concluded found inferred derived "
    "ascertained"
)
_GIVEN = _words("provided specified mentioned disclosed stated given discussed")
_THERE = _words("included available listed found present known covered shown visible")
_INFORMATION = _words("information mention details? specifics")
_PROOF = _words("data evidence context references? figures?")
_LY = r"(?:\w+ly\s+)?"

ABSENT = _any(
    rf"\b{_SOURCE}\b[^.!?,\n]{{0,80}}?\b{_NOT}\s+(?:\w+ly\s+|even\s+|actually\s+)?{_STATE}\b",
    rf"(?:\bno|\bnot enough|n[’']t enough|\binsufficient|\black of|\bwithout)\s+(?:\w+\s+){{0,3}}{_INFORMATION}\b",
    rf"(?:\bnot|n[’']t)\b[^.!?\n]{{0,40}}\bany\s+(?:\w+\s+){{0,3}}{_INFORMATION}\b",
    rf"\bno (?:specific|relevant|direct|explicit|further|sufficient|clear) (?:\w+ )?{_PROOF}\b",
    rf"(?:\bnot enough|n[’']t enough|\binsufficient|\black of) (?:\w+ )?{_PROOF}\b",
    rf"\b(?:none of|nothing in|neither of) (?:the|your|these) [^.!?,\n]{{0,30}}?\b{_STATE}(?:es|s)?\b",
    r"\b(?:information|answer|that|this|it) (?:isn[’']t|is not) (?:to be found )?(?:in|among) (?:the|your|these|my)\b",
    rf"\b{_SOURCE}\b[^.!?,\n]{{0,40}} (?:is|are) silent\b",
    rf"\b(?:is|are|was|were|been|be)\s+(?:not|n[’']t)\s+{_LY}{_GIVEN}\b",
    rf"\b{_SOURCE}\b[^.!?\n]{{0,80}}\b(?:is|are|was|were|been|be)\s+not\s+{_LY}{_THERE}\b",
    rf"\b(?:is|are|was|were|be)\s+not\s+{_LY}{_THERE}\s+(?:in|from|by|within)\b[^.!?\n]{{0,40}}?\b{_SOURCE}\b",
    rf"\b(?:isn|aren|wasn|weren)[’']t\s+{_LY}(?:provided|specified|mentioned|included|available|disclosed|given)\b",
    r"\b(?:was|were|have|has)(?:n[’']t| not)\s+(?:been\s+)?provided\b",
    r"\byou (?:have not|haven[’']t) (?:provided|specified)",
    r"\bI (?:did not|didn[’']t|could not|couldn[’']t) (?:find|locate|see)\b",
    rf"\bno (?:\w+ ){{0,3}}(?:was|were|is|are) {_LY}(?:provided|given|mentioned|specified|available|announced)\b",
    r"(?<!if )\bno (?:relevant |matching )?(?:results?|documents?|passages?|answers?) (?:(?:was|were|is|are) )?"
    r"(?:found|match)",
    r"\bno (?:official|specific|exact|definite|clear|publicly) [^.!?\n]{0,50}"
    r"\b(?:announced|known|available|released|set)\b",
)
"""That something is not there."""

UNABLE = _any(
    rf"\b(?:I|we|one)\b[^.!?\n]{{0,25}}?\s?{_CANNOT}\s+(?:\w+ly\s+|be able to\s+)?{_TELL}\b",
    rf"(?:^|[,;]\s*){_CANNOT}\s+(?:be\s+)?{_LY}(?:{_TELL}|determined|answered|calculated)\b",
    rf"\b(?:cannot|can ?not|can[’']t|could not) be {_LY}{_TOLD}\b",
    r"\b(?:is|[’']s|was|be) (?:not possible|impossible|not feasible|difficult|unclear|unknown|uncertain)\b",
    r"\bI (?:currently |really )?(?:do not|don[’']t) (?:\w+ly )?(?:have|know|see|recall|possess)\b",
    r"\bI(?: am|[’']m) (?:not (?:sure|certain|aware|familiar|allowed|permitted|comfortable)|unaware|unsure)\b",
    r"\bI (?:must|have to|need to) (?:decline|refuse)\b",
    r"\bI (?:won[’']t|will not|would rather not) (?:be )?(?:answer|provid)",
    r"^(?:no answer|unknown|n/?a|unanswerable|not (?:found|available|answerable|specified|mentioned))\b",
    r"\b(?:insufficient|not enough|not sufficient) (?:\w+ )?(?:information|context|data|evidence|details?)\b",
    r"\b(?:question|this|it) (?:cannot be|can[’']t be|is not|isn[’']t) (?:\w+ly )?answer(?:ed|able)\b|\bunanswerable\b",
    r"\b(?:isn[’']t|is not) something (?:that )?I can\b|\bsomething (?:that )?I (?:can[’']t|cannot)\b",
    r"\bnot have (?:\w+ ){0,3}(?:access|information|knowledge|data|the ability|enough)\b",
)
"""That the speaker does not know or cannot tell."""

CLAUSE = re.compile(r"[,;]\s+(?=(?:but|however|though|although)\b)", re.IGNORECASE)
"""Where a sentence turns."""

PERSONAL = re.compile(r"\bI (?:do not|don[’']t) have personal\b", re.IGNORECASE)
"""A disclaimer that says nothing about what the speaker knows."""

APOLOGY = _any(
    r"^(?:I[’']?m |I am )?(?:\w+ )?sorry\b",
    r"^(?:I )?apologi[sz]e\b|^apologies\b",
    r"^as an? (?:AI|artificial|large language|language model)",
    r"^my (?:knowledge|training)[- ](?:\w+ ){0,2}(?:cutoff|cut-off|data|ends|stops)\b",
    r"\breal[- ]time\b",
    r"\bpersonal (?:\w+ ){0,2}(?:beliefs?|opinions?|experiences?|emotions|feelings|preferences)\b",
    r"\bI can (?:\w+ )?(?:provide|give|offer|share)(?: you)?(?: with)?(?: the| some)?"
    r"(?: factual| historical| relevant)? (?:information|facts)(?: you need)?\W*$",
)
"""What comes before a refusal, or before an answer."""

POINTER = _any(
    r"^if\b",
    r"\b(?:please|you (?:can|could|may|might|should|would need to|will need to|would have to)|"
    r"I (?:recommend|suggest|advise))\b[^.!?\n]{0,40}\b(?:refer|check|consult|review|look|visit|contact|see|search|"
    r"access|provide|share|verify|find|need|obtain|upload|clarify|rephrase)",
    r"\b(?:if|once|when) (?:you|there|this|these|that)\b[^.!?\n]{0,80}"
    r"\b(?:provide|share|have|supply|additional|let me know)",
    r"\bfeel free\b|\blet me know\b|\bhappy to (?:help|assist)\b",
    r"\bwould (?:need|require|be (?:necessary|required|needed))\b",
    r"\bwe (?:would |will )?(?:need|require)\b|\bis (?:needed|required|necessary)\b",
)
"""What a refusal adds: where to look, what would be needed."""

ADVERSATIVE = re.compile(
    r"^\W*(?:however|but|nevertheless|nonetheless|that said|still|though|although|based on|according to|"
    r"as of (?:my|the|early|late)|having said that|yet|instead|sin embargo|no obstante|allerdings|jedoch|dennoch|"
    r"cependant|toutefois|néanmoins)\b",
    re.IGNORECASE,
)
"""That an answer comes after all."""

GENERAL = _any(
    r"\bin general\b|\bgenerally\b|\bhypothetical",
    r"\bgeneral (?:\w+ )?(?:factors|information|guidance|guidelines|overview|terms)\b",
    r"\bI can (?:\w+ )?(?:guide|provide|offer|help|explain|walk|tell you how|show you|give you)\b",
    r"\byou can (?:\w+ )?(?:calculate|find|compute|use|determine|look)\b|\bhere[’']s (?:how|the formula|a general)\b",
    r"\b(?:the )?following steps\b|\bcould be (?:driven by|due to)\b|\bassum(?:e|ing)\b|\bif [^.!?\n]{0,60}\bwas\b",
)
"""What a refusal may go on with and still not answer: advice, formulas, made-up figures."""

GAP = _any(
    r"\b(?:information|details?|data|figures?|specifics?|values?|amounts?|breakdown|numbers?)\b",
    r"\b(?:not|n[’']t)\s+(?:\w+ly\s+)?(?:been\s+)?(?:provided|specified|disclosed)\b",
)
"""That information is missing; "the filing mentions no debt" may be the answer."""

CONCLUSION = re.compile(
    r"\b(?:therefore|thus|hence|so the answer|the (?:final )?answer is|in conclusion|in summary|overall|appears?|"
    r"seems?|suggests?|likely|it[’']s important to note|can be (?:estimated|approximated|inferred)|"
    r"we can (?:estimate|infer|calculate|conclude)|approximately|≈|=)",
    re.IGNORECASE,
)

_SPANISH = _any(
    r"\bno (?:tengo|dispongo de|cuento con|hay|existe|encuentro|encontré|se (?:ha )?encontr\w+)\s+(?:\w+\s+){0,3}"
    r"(?:información|datos|acceso|evidencia|detalles|respuesta|documentos|suficiente)\b",
    r"\bno (?:puedo|podemos|me es posible|es posible|se puede|sé|lo sé|estoy segur[oa])\b",
    r"\bno se (?:menciona|especifica|indica|proporciona)\b|\binformación no (?:disponible|aparece)\b",
    r"\b(?:textos?|documentos?|contexto|pasajes?|fragmentos?|artículos?|información|fuentes?)\b[^.!?\n]{0,60}?"
    r"\bno\s+(?:\w+\s+)?(?:contienen?|mencionan?|proporcionan?|especifican?|incluyen?|indican?|ofrecen?|dicen?|aparecen?|"
    r"responden?)\b",
    r"^lo (?:siento|lamento)\b|^desafortunadamente\b|^lamentablemente\b|\binformación insuficiente\b",
)
_GERMAN = _any(
    r"\bich (?:kann|könnte|weiß|habe|finde|bin)\b[^.!?\n]{0,80}\b(?:nicht|keine[nr]?|leider)\b",
    r"\b(?:leider|es tut mir leid|tut mir leid)\b",
    r"\bkeine (?:\w+ ){0,2}(?:Informationen|Angaben?|Daten|Hinweise|Antwort)\b",
    r"\b(?:Text|Dokumente?n?|Kontext|Quellen?|Abschnitt|Artikel|Unterlagen|Informationen)\b[^.!?\n]{0,90}"
    r"\b(?:nicht (?:\w+ )?(?:enthalten|erwähnt|angegeben|genannt|hervor|beantwort\w+)|keine[nr]?\b)",
    r"\b(?:lässt|lassen|kann|können)\b[^.!?\n]{0,60}"
    r"\bnicht (?:\w+ )?(?:beantwort|bestimm|ermittel|feststell|sagen|berechn)",
)
_FRENCH = _any(
    r"\bje (?:ne |n[’'])(?:\w+ ){0,2}?(?:peux|sais|dispose|ai|suis|trouve|connais|parviens)\b[^.!?\n]{0,12}"
    r"\b(?:pas|aucune?|pu|malheureusement)\b",
    r"\bje (?:ne |n[’'])\w+ (?:pas|aucune?)\b",
    r"\b(?:textes?|documents?|contexte|passages?|extraits?|sources?|informations?|articles?)\b[^.!?\n]{0,60}?"
    r"\b(?:ne |n[’'])(?:\w+ ){0,2}?\w+ (?:pas|aucune?)\b",
    r"^(?:désolée?|malheureusement|je suis désolée?|je regrette)\b|\baucune (?:information|mention|donnée|réponse)\b",
    r"\b(?:il est|c[’']est) impossible de\b|\bil n[’']est pas possible\b",
    r"\bpas (?:assez|suffisamment) d[’']informations?\b",
)
_ITALIAN_AND_PORTUGUESE = _any(
    r"\bnon (?:ho|dispongo|posso|è possibile|so|sono in grado|ci sono)\b[^.!?\n]{0,40}"
    r"\b(?:informazioni|rispond|determina|dati|accesso|forni)\w*",
    r"^mi dispiace\b|^purtroppo\b",
    r"\bnão (?:tenho|posso|sei|há|é possível|consigo|encontrei)\b[^.!?\n]{0,40}"
    r"\b(?:informaç|respond|determin|dados|acesso|fornec)\w*",
    r"^lamento\b|^infelizmente\b",
)
FOREIGN = _any(*(each.pattern for each in (_SPANISH, _GERMAN, _FRENCH, _ITALIAN_AND_PORTUGUESE)))
"""All of the above but in other languages: that something is missing, or that the speaker cannot tell."""
