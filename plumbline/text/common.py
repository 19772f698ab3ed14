"""English words so common that sharing one says little about what two texts share.

They stand in for corpus statistics where a handful of sentences is all there is to count: in five sentences about one
topic, "year" is as rare as a name. Own list, content words only; function words are in `plumbline.text.stopwords`.
"""

from __future__ import annotations

from functools import lru_cache

from plumbline.text.terms import terms

_COMMON = """
able accept access account achieve act action active activity actual add address affect age agree air allow amount
ancient animal answer appear apply area argue army arrive art ask attack attempt attend available avoid aware back
bad base basic battle bear become begin beginning behind believe belong benefit best better big black blue board
body book born break bring british build building business buy call capital care carry case cause center central
centre century certain chance change character charge child choose church city claim class clear close collect
college colour common commonly community company compare complete concern condition connect consider consist contain
continue control cost could country course court cover create culture current cut damage date day deal death decide
decision defeat define degree describe design determine develop development die differ difference different
difficult direct discover discuss disease do dominant drive due early earth east easy economic economy education
effect effort element employ end energy english enter environment equal especially establish estimate event example
exist expect experience explain express extend face fact factor fail fall family famous far fast father feature
federal feel female field fight figure final find fire first five focus follow food force foreign form former found
free french friend full function fund future gain game general german get give go goal good government great green
ground group grow half hand happen hard head health hear heart heat help high history hold home hope hour house
however human hundred idea identify important improve include increase indicate individual industry influence
information inside instead international introduce involve island issue job join keep kill kind king know land
language large last late later law lead leader learn leave left legal less let letter level lie life light like
likely limit line list little live local locate location long look lose loss lot love low main major make man manage
many march mark market mass match material matter mean measure meet member men mention method middle military
million mind minister minor model modern money month mother mountain move movement much name nation national natural
nature near necessary need never new next night north note number object observe occur offer office officer official
often oil old one open operate opinion order organization origin original outside paper park part particular party
pass past pay peace people percent percentage perform period person physical place plan plant play player point
policy political poor popular population position possible power powerful practice prefer present president press
prevent previous price primary principle private probably problem process produce product program project property
propose protect prove provide public publish purpose put question quickly range rate reach read real reason receive
recent record reduce refer reform region relate relationship release religion religious remain remove replace report
represent republic require research resource respond response responsible result return rise river road role rule
run sale same say scale school science scientist sea season second section see seek seem sell send separate series
serve service set several shape share ship short show side sign significant similar simple since single site
situation size small social society sometimes sort sound source south space speak special specific speed spread
stand standard start state station stay step still stop story street strong structure student study style subject
success suggest supply support sure surface system take talk tax teach team technology tell temperature term test
theory thing think third thought thousand three time title today together top total toward town trade traditional
train travel treat tree true try turn two type typical understand union unit united university usage use usual
usually value various version very view visit vote wait walk want war water way week well west western white whole
wide win window within without woman women word work worker world write wrong year young
"""


@lru_cache(maxsize=1)
def common_terms() -> frozenset[str]:
    """The terms, as `plumbline.text.terms.terms` gives them, of the common words."""
    return frozenset(terms(_COMMON))
