from __future__ import annotations

import pytest

from evals.metrics.refusal import is_refusal
from rag.answer.abstain import is_refusal as is_our_refusal

REFUSALS = [
    "",
    "  \n",
    "I don't know.",
    "I'm sorry, but the provided context does not contain information about the refund window.",
    "The document does not mention the CEO's salary.",
    "I do not have enough information to answer that question.",
    "In the provided context, there is no specific information on net income. Please refer to the annual report.",
    "As an AI language model, I don't have access to real-time data, so I can't provide current prices.",
    "I cannot determine the answer from the passages.",
    "Unfortunately, the search results do not include any details. If you can provide the report, I am happy to help.",
    "It is not possible to calculate the ratio from the given text.",
    "There is no mention of a refund in the sources.",
    "Not enough information.",
    "N/A",
    "Unanswerable",
    "I couldn't find any relevant passages for your question.",
    "This question cannot be answered from the given documents.",
    "I'm not able to find that in the documents you uploaded.",
    "I must decline to answer, since the sources are silent.",
    "No relevant documents were found.",
    "We need revenue and costs. Revenue was $5 million. The costs are not provided. So I cannot calculate the margin.",
    "I don't have access to the filing. However, I can guide you: divide revenue by assets, for example 60 by 50.",
    "I don't have enough information [Source: a.txt, page 2].",
    "That information isn't in your files.",
    "I wasn't able to find anything about this.",
    "None of the documents mention the refund policy.",
    "Nothing in the documents addresses this.",
    "The provided sources are silent on this question.",
    "There isn't enough information to answer.",
    "This isn't something I can answer from the sources.",
    "Información no disponible.",
    # Spanish, German, French, Italian, Portuguese
    "Lo siento, pero no tengo suficiente información para responder.",
    "El documento no menciona el plazo de devolución.",
    "No se especifica en el texto.",
    "Ich kann diese Frage leider nicht beantworten.",
    "Der Text enthält keine Angaben dazu.",
    "Dazu liegen mir keine Informationen vor.",
    "Die Frage lässt sich anhand der Dokumente nicht beantworten.",
    "Je ne sais pas.",
    "Le document ne mentionne pas le délai de remboursement.",
    "Malheureusement, je n'ai pas trouvé de réponse dans les sources.",
    "Non ho abbastanza informazioni per rispondere.",
    "Não tenho informações suficientes para responder.",
]
ANSWERS = [
    "The refund window is 30 days.",
    "No.",
    "No, the warranty does not cover water damage.",
    "The company did not make any acquisitions in 2022.",
    "There are none.",
    "The refund window is 30 days, though the text does not say when it starts.",
    "As an AI language model, I don't have personal opinions, but the first toy was the Ultra Hand.",
    "I don't have real-time data. As of my last update in October 2021, the CEO is Mary Dillon.",
    "I'm sorry to hear that. Refunds take 30 days.",
    "The exact date is not known, but it is believed to have been built around 1100.",
    "The context does not state it directly. However, based on the balance sheet, debt was $47.2 billion.",
    "Nobody knows who wrote it: the author of Beowulf is anonymous.",
    "The feature is not available in Windows 10.",
    "Unfortunately, the ship sank in 1912.",
    "If you cannot find the receipt, call us: returns are free for 30 days.",
    "The policy does not provide coverage for flood damage.",
    "The data is not encrypted at rest.",
    "You cannot return opened items.",
    "The file does not have a header row.",
    "Refunds are not available after 30 days.",
    "The report was not found to be misleading.",
    "We found no evidence of fraud: the audit was clean.",
    "Without evidence of purchase, refunds are refused.",
    "The API returns an error if no results are found.",
    "Insufficient funds cause a $30 fee.",
    "El plazo es de 30 días.",
    "Die Frist beträgt 30 Tage, nicht 14.",
    "Le délai est de 30 jours et non de 14.",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_recognises_refusals_of_any_system(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)


def test_it_is_wider_than_the_one_of_our_own_prompt() -> None:
    assert is_our_refusal("I don't have enough information.")
    assert not is_our_refusal("The document does not mention it.")
