"""Function words that lexical search leaves out, per language: words that say how a sentence is built, not its topic.

The lists are kept short on purpose: a word that can be a topic ("may", "us", "will" as a name or a noun) hurts more
when it is missing than when it is kept.
"""

from __future__ import annotations

_ENGLISH = """
a about after again against all also am an and any are as at be because been before being below between both but by
can could did do does doing down during each few for from further had has have having he her here hers herself him
himself his how i if in into is it its itself just me more most my myself no nor not of off on once only or other our
ours ourselves out over own same she should so some such than that the their theirs them themselves then there these
they this those through to too under until up very was we were what when where which while who whom whose why with
would you your yours yourself yourselves aren't can't couldn't didn't doesn't don't hadn't hasn't haven't he's i'd
i'll i'm i've isn't it's let's she's shouldn't that's there's they're wasn't we're we've weren't what's who's won't
wouldn't you'll you're you've
"""

_SPANISH = """
a al algo algunas algunos ante antes como con contra cual cuales cuando cuándo cuál cuáles cuánta cuántas cuánto
cuántos cómo de del desde donde dónde durante e el él ella ellas ellos en entre era eran es esa esas ese eso esos esta
está están estas este esto estos fue fueron ha había han hasta hay la las le les lo los más me mi mis muy nada ni no
nos nosotros nuestra nuestras nuestro nuestros o os otra otras otro otros para pero poco por porque qué que quien
quienes quién quiénes se sea ser si sí sin sobre son su sus también tanto te tiene tienen todo todos tu tus tú un una
uno unos unas y ya yo
"""

_GERMAN = """
aber alle allem allen aller alles als also am an ander andere anderem anderen anderer anderes auch auf aus bei bin bis
bist da damit dann das dass daß dein deine deinem deinen deiner dem den der des desselben die dies diese dieselbe
diesem diesen dieser dieses dir doch dort du durch ein eine einem einen einer eines einige er es etwas euch euer für
gegen gewesen hab habe haben hat hatte hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer ihres im in
ist ja jede jedem jeden jeder jedes jene jenem jenen jener jenes kann kein keine keinem keinen keiner man manche mein
meine mich mir mit nach nicht nichts noch nun nur ob oder ohne sehr sein seine seinem seinen seiner sich sie sind so
solche soll sondern sonst um und uns unser unsere unter viel vom von vor wann war waren warum was weil welche welchem
welchen welcher welches wenn wer werde werden wie wieder wir wird wirst wo wurde wurden zu zum zur zwar zwischen über
"""

_FRENCH = """
à au aux avec c ce ceci cela ces cet cette comme comment d dans de des donc dont du elle elles en entre es est et
étaient était été être eu eux il ils j je l la le les leur leurs lors lui m ma mais me même mes moi mon n ne nos notre
nous on ont ou où par pas plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se sera ses si
soit son sont sous sur t ta te tes toi ton tous tout toute toutes tu un une vos votre vous y
"""

_ITALIAN = """
a ad agli ai al alla alle allo anche avere c che chi ci come con cosa così cui d da dagli dai dal dalla dalle dallo
degli dei del dell della delle dello di dopo dove e è ed era erano essere fra gli ha hanno ho i il in io l la le lei
li lo loro lui ma mi mia mio ne negli nei nel nell nella nelle nello noi non nostro o ogni per perché più qual quale
quali quando quanto quella quelle quelli quello questa queste questi questo se sei senza si sia sono stata state stati
stato su sua sue sugli sui sul sulla sulle suo suoi ti tra tu tutti tutto un una uno vi voi
"""

_PORTUGUESE = """
a à ao aos aquela aquelas aquele aqueles aquilo as às até com como da das de dela delas dele deles depois do dos e é
ela elas ele eles em entre era eram essa essas esse esses esta está estas este estes eu foi foram há isso isto já lhe
lhes mais mas me mesmo meu meus minha minhas muito na nas não nem no nos nossa nossas nosso nossos num numa o onde os
ou para pela pelas pelo pelos por porque qual quais quando que quem são se sem ser seu seus só sua suas também te tem
têm tu um uma umas uns você vocês
"""

_DUTCH = """
aan al alle als bij dan dat de der deze die dit doch door dus een en er had heb hebben heeft hem het hier hij hoe hun
ik in is ja je kan maar me meer met mij mijn na naar niet niets nog nu of om omdat ons ook op over te tegen toch toen
tot u uit uw van veel voor waar waarom wanneer was wat we welk welke werd wie wij worden wordt ze zich zij zijn zo
zonder zou
"""

STOPWORDS: dict[str, frozenset[str]] = {
    "en": frozenset(_ENGLISH.split()),
    "es": frozenset(_SPANISH.split()),
    "de": frozenset(_GERMAN.split()),
    "fr": frozenset(_FRENCH.split()),
    "it": frozenset(_ITALIAN.split()),
    "pt": frozenset(_PORTUGUESE.split()),
    "nl": frozenset(_DUTCH.split()),
}
"""Casefolded stopwords by ISO 639-1 code; a language not listed has none."""
