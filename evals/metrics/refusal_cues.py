"""The phrases by which systems refuse, in English, Spanish, German and French: data for `evals.metrics.refusal`."""

from __future__ import annotations

import re


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_SOURCE = (
    r"(?:text|texts|documents?|context|evidence|information|passages?|sources?|filings?|excerpts?|materials?|data|"
    r"articles?|search results|results|reports?|content|knowledge base|snippets?|statements?|figures?|details?|sections?|"
    r"paragraphs?|pages?|10-[KQ]|files?|provided)"
)
_NOT = r"(?:does not|do not|did not|doesn[’']t|don[’']t|didn[’']t|is not|are not|isn[’']t|aren[’']t|fails? to|lacks?)"
_TELL = (
    r"(?:contain|provide|include|mention|specify|give|state|disclose|discuss|address|say|indicate|cover|offer|show|list|"
    r"reveal|detail|describe|explain|answer|have|present|report|break down|allow|enable)"
)
_CANNOT = (
    r"(?:cannot|can ?not|can[’']t|could not|couldn[’']t|am unable to|[’']m unable to|am not able to|[’']m not able to|"
    r"are unable to|were unable to|was unable to|would not be able to|won[’']t be able to|will not be able to|unable to)"
)
_TELL_US = (
    r"(?:provide|answer|determine|find|calculate|compute|access|give|assess|help|confirm|say|tell|verify|locate|identify|"
    r"assist|predict|offer|browse|respond|comment|conclude|make|perform|proceed|retrieve|complete|derive|estimate|"
    r"ascertain|see|extract|share|state|evaluate|compare|analy[sz]e)"
)

ABSENT = _any(
    rf"\b{_SOURCE}\b[^.!?,\n]{{0,80}}?\b{_NOT}\s+(?:\w+ly\s+|even\s+|actually\s+)?{_TELL}\b",
    r"\b(?:no|any|not enough|insufficient|lack of|without)\s+(?:\w+\s+){0,3}(?:information|mention|details?|data|"
    r"evidence|context|reference|figures?)\b",
    r"\b(?:is|are|was|were|been|be)\s+(?:not|n[’']t)\s+(?:\w+ly\s+)?(?:provided|specified|mentioned|included|available|"
    r"disclosed|stated|given|listed|found|present|known|discussed|covered|shown|visible)\b",
    r"\b(?:isn|aren|wasn|weren)[’']t\s+(?:\w+ly\s+)?(?:provided|specified|mentioned|included|available|disclosed|given)\b",
    r"\b(?:was|were|have|has)(?:n[’']t| not)\s+(?:been\s+)?provided\b|\byou (?:have not|haven[’']t) (?:provided|specified)",
    r"\bI (?:did not|didn[’']t|could not|couldn[’']t) (?:find|locate|see)\b",
    r"\bno (?:\w+ ){0,3}(?:was|were|is|are) (?:\w+ly )?(?:provided|given|mentioned|specified|available|announced)\b",
    r"\bno (?:relevant |matching )?(?:results?|documents?|passages?|answers?) (?:was |were |is |are |be )?(?:found|match)",
    r"\bno (?:official|specific|exact|definite|clear|publicly) [^.!?\n]{0,50}\b(?:announced|known|available|released|set)\b",
)
UNABLE = _any(
    rf"\b(?:I|we|one)\b[^.!?\n]{{0,25}}?\s?{_CANNOT}\s+(?:\w+ly\s+|be able to\s+)?{_TELL_US}\b",
    rf"(?:^|[,;]\s*){_CANNOT}\s+(?:be\s+)?(?:\w+ly\s+)?(?:{_TELL_US}|determined|answered|calculated)\b",
    r"\b(?:cannot|can ?not|can[’']t|could not) be (?:\w+ly )?(?:determined|calculated|answered|computed|established|"
    r"confirmed|assessed|concluded|found|inferred|derived|ascertained)\b",
    r"\b(?:is|[’']s|was|be) (?:not possible|impossible|not feasible|difficult|unclear|unknown|uncertain)\b",
    r"\bI(?: (?:do not|don[’']t)| currently (?:do not|don[’']t)| really don[’']t) (?:\w+ly )?"
    r"(?:have|know|see|recall|possess)\b",
    r"\bI(?: am|[’']m) (?:not (?:sure|certain|aware|familiar|allowed|permitted|comfortable)|unaware|unsure)\b",
    r"\bI (?:must|have to|need to) (?:decline|refuse)\b|\bI (?:won[’']t|will not|would rather not) (?:be )?\w*(?:answer|provid)",
    r"^(?:no answer|unknown|n/?a|unanswerable|not (?:found|available|answerable|enough information|specified|mentioned))\b",
    r"\b(?:insufficient|not enough|not sufficient) (?:\w+ )?(?:information|context|data|evidence|details?)\b",
    r"\b(?:question|this|it) (?:cannot be|can[’']t be|is not|isn[’']t) (?:\w+ly )?answer(?:ed|able)\b|\bunanswerable\b",
    r"\bnot have (?:\w+ ){0,3}(?:access|information|knowledge|data|the ability|enough)\b",
)
"""That the speaker does not know or cannot tell."""

CLAUSE = re.compile(r"[,;]\s+(?=(?:but|however|though|although)\b)", re.IGNORECASE)
"""Where a sentence turns."""

APOLOGY = _any(
    r"^(?:I[’']?m |I am )?(?:\w+ )?sorry\b",
    r"^(?:I )?apologi[sz]e\b|^apologies\b|^unfortunately\b|^regrettably\b",
    r"^as an? (?:AI|artificial|large language|language model)",
    r"^my (?:knowledge|training)[- ](?:\w+ ){0,2}(?:cutoff|cut-off|data|ends|stops)\b",
    r"\breal[- ]time\b",
    r"\bpersonal (?:\w+ ){0,2}(?:beliefs?|opinions?|experiences?|emotions|feelings|preferences)\b",
    r"\bI can (?:\w+ )?(?:provide|give|offer|share)(?: you)?(?: with)? (?:the |some )?(?:factual |historical |relevant )?(?:information|facts)"
    r"(?: you need)?\W*$",
)
POINTER = _any(
    r"^if\b",
    r"\b(?:please|you (?:can|could|may|might|should|would need to|will need to|would have to)|I (?:recommend|suggest|advise))"
    r"\b[^.!?\n]{0,40}\b(?:refer|check|consult|review|look|visit|contact|see|search|access|provide|share|verify|find|need|"
    r"obtain|upload|clarify|rephrase)",
    r"\b(?:if|once|when) (?:you|there|this|these|that)\b[^.!?\n]{0,80}\b(?:provide|share|have|supply|additional|let me know)",
    r"\bfeel free\b|\blet me know\b|\bhappy to (?:help|assist)\b|\bwould (?:need|require|be (?:necessary|required|needed))\b",
    r"\bwe (?:would |will )?(?:need|require)\b|\bis (?:needed|required|necessary)\b",
)
"""What a refusal adds: where to look, what would be needed."""

ADVERSATIVE = re.compile(
    r"^\W*(?:however|but|nevertheless|nonetheless|that said|still|though|although|based on|according to|as of (?:my|the|early|late)|having said that|yet|instead|"
    r"sin embargo|no obstante|allerdings|jedoch|dennoch|cependant|toutefois|néanmoins)\b",
    re.IGNORECASE,
)
GENERAL = _any(
    r"\bin general\b|\bgenerally\b|\bhypothetical|\bgeneral (?:\w+ )?(?:factors|information|guidance|guidelines|overview|terms)\b",
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
    r"\b(?:therefore|thus|hence|so the answer|the (?:final )?answer is|in conclusion|in summary|overall|appears?|seems?|"
    r"suggests?|likely|it[’']s important to note|can be (?:estimated|approximated|inferred)|we can (?:estimate|infer|"
    r"calculate|conclude)|approximately|≈|=)",
    re.IGNORECASE,
)

FOREIGN = _any(
    # Spanish
    r"\bno (?:tengo|dispongo de|cuento con|hay|existe|encuentro|encontré|se (?:ha )?encontr\w+)\s+(?:\w+\s+){0,3}"
    r"(?:información|datos|acceso|evidencia|detalles|respuesta|documentos|suficiente)\b",
    r"\bno (?:puedo|podemos|me es posible|es posible|se puede|sé|lo sé|estoy segur[oa]|se (?:menciona|especifica|indica|"
    r"proporciona))\b",
    r"\b(?:texto|documento|contexto|pasaje|fragmento|artículo|información|fuentes?|documentos|fragmentos)\b[^.!?\n]{0,60}?"
    r"\bno\s+(?:\w+\s+)?(?:contienen?|mencionan?|proporcionan?|especifican?|incluyen?|indican?|ofrecen?|dicen?|responden?)\b",
    r"^lo (?:siento|lamento)\b|^desafortunadamente\b|^lamentablemente\b|\binformación insuficiente\b",
    # German
    r"\bich (?:kann|könnte|weiß|habe|finde|bin)\b[^.!?\n]{0,80}\b(?:nicht|keine[nr]?|leider)\b",
    r"\b(?:leider|es tut mir leid|tut mir leid)\b|\bkeine (?:\w+ ){0,2}(?:Informationen|Angaben?|Daten|Hinweise|Antwort)\b",
    r"\b(?:Text|Dokumente?n?|Kontext|Quellen?|Abschnitt|Artikel|Unterlagen|Informationen)\b[^.!?\n]{0,90}"
    r"\b(?:nicht (?:\w+ )?(?:enthalten|erwähnt|angegeben|genannt|hervor|beantwort\w+)|keine[nr]?\b)",
    r"\b(?:lässt|lassen|kann|können)\b[^.!?\n]{0,60}\bnicht (?:\w+ )?(?:beantwort|bestimm|ermittel|feststell|sagen|berechn)",
    # French
    r"\bje (?:ne|n[’'])\s?(?:\w+\s){0,2}?(?:peux|sais|dispose|ai|suis|trouve|connais|parviens)\b[^.!?\n]{0,12}"
    r"\b(?:pas|aucune?|pu|malheureusement)\b|\bje (?:ne|n[’'])\s?\w+ (?:pas|aucune?)\b",
    r"\b(?:texte|documents?|contexte|passages?|extraits?|sources?|informations?|article)\b[^.!?\n]{0,60}?\b(?:ne |n[’'])\s?"
    r"(?:\w+\s){0,2}?(?:\w+)\s(?:pas|aucune?)\b",
    r"^(?:désolée?|malheureusement|je suis désolée?|je regrette)\b|\baucune (?:information|mention|donnée|réponse)\b",
    r"\b(?:il est|c[’']est) impossible de\b|\bil n[’']est pas possible\b|\bpas (?:assez|suffisamment) d[’']informations?\b",
    # Italian, Portuguese
    r"\bnon (?:ho|dispongo|posso|è possibile|so|sono in grado|ci sono)\b[^.!?\n]{0,40}\b(?:informazioni|rispond|determina|"
    r"dati|accesso|forni)\w*|^mi dispiace\b|^purtroppo\b",
    r"\bnão (?:tenho|posso|sei|há|é possível|consigo|encontrei)\b[^.!?\n]{0,40}\b(?:informaç|respond|determin|dados|acesso|"
    r"fornec)\w*|^lamento\b|^infelizmente\b",
)
