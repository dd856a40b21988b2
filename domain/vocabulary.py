"""The words that tell what a prompt asks for and from which field, in several languages; all lower case.

`TOPICS` names a field. Its entries of up to five letters, or ending in `=`, are whole words or their plural in s;
longer ones are beginnings of words; `_` joins two words. `ACTS` and `OBJECTS` are whole words and name what is asked
for, so that "writes" in a story is no request to write. `UNSPACED` serves scripts that put no space between words: its
entries are found anywhere.
"""

from __future__ import annotations

TOPICS = {
    "math": """
        algebra angle arithmetic asymptot binomial bisect calculus circle circumf circumsc coefficient collinear
        combinatori composite congruen conic convex coordinate coprime cosine cubic cylinder denominator
        derivative determinant diagonal differentiab digit dihedral discriminant divisib divisor eigenv ellips
        equation equilateral exponent factor= factors= factorial factoriz fibonacci fraction function geometr
        hexagon hyperbola hypotenuse inequalit infinit inscribed integer integral intersect inverse isosceles
        lattice locus logarithm matrices matrix= median midpoint modulo modulus monic multiple numerator octagon
        orthogonal palindrom parabola parallel pentagon perimeter permutation perpendic polygon polyhedr polynom
        prime probabilit pyramid quadrant quadrat quotient radian radii radius rational reciprocal rectang
        recurrence remainder rhombus root roots= scalar secant semicirc sequence series= sine sines slope sphere
        square squared subset sum summation symmetr tangent tetrahedr theorem topolog trapezo triang trigonom
        vertex vertices volume gleichung dreieck wahrscheinlich ableitung vektor primzahl teiler funktion winkel
        wurzel équation entier polynôm dérivé intégral probabilité vecteur diviseur inégalité racine cercle
        ecuaci entero triángul polinom derivada vector desigualdad raíz círculo probabilidad función equazion
        triangol disuguaglianz radice equaçã inteiro raiz уравнен функци интеграл треугол вероятност матриц
        производн многочлен делител неравенств корень корней окружност
    """,
    "proof": """
        proof prove proves lemma corollary axiom contradicti beweis démontre demuestr demostra demonstra
        demonstre dimostra докажи доказа dowód udowodn bewijs kanıtla prouver prouvez
    """,
    "science": """
        adiabat allele amplitude antibod asteroid atom atomic bacteri boson bosonic calorimet capacit catalys
        centripet chromatogr chromosom circuit compound conductiv coulomb covalent cytoplas diffraction dipole
        doppler electrochem electrod electromag electron electrost enthalp entrop enzyme enzymat equilibri
        eukaryot evolution exotherm fermion friction genome genomic genotyp genetic gravitat hadron half_life
        hamiltonian heisenberg hydrocarbon hydrolys impedanc inductan inertia ion ionic ioniz isomer isotop joule
        kelvin kinetic ligand magnet meiosis metabol mitochond mitosis molar molecul momentum mutation neutrin
        neutron newton nuclea nucleo nucleu orbital organism osmosis osmotic oscillat oxide oxidat oxidiz
        particle peptide phenotyp photon photosyn plasma polymer potential pressure prokaryot protein proton
        quantum radiation radioact reactant reagent redox refract relativis resistor resonan ribosom schrödinger
        semicond solubil solvent spectra spectrosc spectrum stoichio substrat synthesis thermodyn titrat torque
        methyl bromid chlorid benzen hydroxy carbonyl qubit spin wavefunct transcription velocity viscos voltage
        wavelength waveguide beschleunig geschwindigk molekül quanten reaktion thermodynamik accélérat vitesse
        quantique réaction aceleración velocidad cuántic reacción termodinám скорост энерги реакци квантов
    """,
    "medicine": """
        abdomin acute anemia anaemia antibiot artery arteri autoimmun benign biopsy cardiac cardiomy cardiova
        clinical contraind coronary diagnos dosage edema epidemiol etiolog gastro hepatic hepatit hyperten
        hypoten immunol infarct inflamm insulin intraven lesion leukem lymph lymphat malignan metasta nephro
        neuro neurolog oncolog patholog pharmac placebo pneumon prognos pulmon renal sclerosis sepsis syndrome
        therap thyroid tumor tumour vascular behandl erkrank maladie traitement dyspn symptom symptôm œdème
        patient= tratamiento enfermedad заболеван лечени
    """,
    "law": """
        arbitration bailee breach claimant constitution contract convict copyright court= courts= covenant
        custody damages defendant easement enforceab estoppel felony fiduciar forfeit hearsay indemn indict
        injunct jurisdict jury lawsuit lessee lessor liabilit liable litigat negligen plaintiff precedent
        prosecut statute statutory sued testator tort treaty verdict haftung haftbar klage kläger beklagt kündig
        mietrecht mieter vermieter schadensersatz schadenersatz vertrag widerruf verjähr bgb stgb hgb dsgvo
        gewährleist arbeitsrecht mängel rechtslage rechtsprech anspruch ansprüch gekündigt fristlos fristen
        eigenbedarf insolven geschäftsführ arbeitgeb arbeitnehm abmahnung haftet anfecht erbrecht unterhaltspf
        scheidung testament grundbuch gericht= urteil= rechtlich responsabilité préavis bailleur locataire
        tribunal contrat= juridique licenciem résiliat contrato demanda= despido responsabilidad inquilin
        arrendador jurisprud bail= locati jugement договор ответственност иск судебн расторгн юридич
    """,
    "economics": """
        amortiz annuit arbitrage audit collateral comparative_adv compound_int depreciat discount_rate dividend
        econom elasticit equity fiscal hedging hypothesis invest= investm liquidity macroecon marginal microecon
        monetary monopol oligopol portfolio regression shareholder statistic tariff taxation valuation variance
        volatil
    """,
    "humanities": """
        cognitive deontolog dialectic empiric epistemol ethic ethical existential fallac hermeneut kant kantian
        metaphys moral= morality normativ ontolog phenomenolog positivis psycholog sociolog syllogis utilitar
        hegel
    """,
    "software": """
        algorithm algorith algoritm api asynchron async authentica backend cache caching cluster codebase
        compiler concurren container cryptogr database deadlock debugg deploy docker encryption endpoint frontend
        garbage_coll graphql grpc kafka kubernet lambda latency load_balanc microserv middlewar mutex normaliz
        oauth observab parser pipeline postgre protocol race_condition recursi redis refactor regex repository
        rest_vs rest_and rest_api vs_rest runtime schema sdk serializ server= servers= sql terraform throughput
        typescript websocket rate_limit data_cent datenbank données
    """,
    "scale": """
        consensus distributed failover fault_toler globally high_avail highly_avail horizontally millions_of
        multi_region multi_tenant partition petabyte raft paxos replicat scalab scaling shard sharding verteiltes
        verteilte skalierbar distribué distribuid распределен rozproszon gedistribueerd
    """,
    "research": "literature_review meta_analy systematic_rev state_of open_problem forschungsstand état_de estado_del",
    "tradeoff": """
        advantage disadvantag implication limitation pros_and root_cause trade_off tradeoff versus= vs consequenc
        long_term feasib vor_und avantages_et ventajas_y
    """,
    "supposition": "suppose= assume= assuming= given_that let_x angenommen supposons supongamos пусть",
    "constraint": """
        at_least at_most exactly must without ensure guarantee require constraint deadline respectively such_that
        subject_to mindestens höchstens genau= au_moins exactement al_menos
    """,
    "counting": """
        many_ways of_ways many_different many_distinct many_possible many_positive many_integer many_real
        ordered_pair different_ways possible_values smallest_possible largest_possible greatest_possible
        least_possible smallest_positive largest_positive expected_value expected_number positive_integ
        real_numbers relatively_prime
    """,
}

ACTS = {
    "design": """
        design architect entwirf entwerfe entwerfen konzipiere konzipieren conçois concevoir conçevez concevez
        diseña diseñar diseñe progetta progettare projete projetar projeta спроектируй спроектировать
        спроектируйте ontwerp zaprojektuj tasarla
    """,
    "build": """
        implement build develop program code port implementiere implementieren entwickle entwickeln programmiere
        implémente développe développer implementa desarrolla implemente desenvolva реализуй реализовать
        разработай разработать
    """,
    "write": """
        write create generate make rewrite add extend schreibe schreib erstelle écris écrire crée escribe crea
        scrivi escreva escreve напиши создай
    """,
    "review": """
        review critique debug fix refactor optimize optimise check improve inspect prüfe überprüfe verbessere
        relis corrige révise revisa revisar depura correggi rivedi revise проверь исправь
    """,
    "research": "research investigate survey recherchiere erforsche recherche investiga ricerca pesquise исследуй",
    "analyse": """
        analyze analyse evaluate assess examine interpret analysiere bewerte beurteile untersuche analysez évalue
        évaluez analiza evalúa analizza valuta avalie проанализируй оцени przeanalizuj
    """,
    "format": """
        format reformat convert summarize summarise shorten rephrase paraphrase correct proofread extract sort
        alphabetize capitalize uppercase lowercase transcribe formatiere korrigiere fasse kürze formuliere wandle
        résume résumez reformule resume corrige riassumi resuma сократи исправь перефразируй
    """,
    "translate": """
        translate übersetze übersetz übersetzen traduis traduire traduisez traduce traducir traduci traduz
        traduza переведи переведите vertaal przetłumacz çevir
    """,
    "plan": """
        plan organize organise schedule strategize prioritize plane planen planifie planifier planifica planear
        pianifica planeje спланируй zaplanuj
    """,
    "compare": "compare contrast vergleiche vergleich compara comparer comparez confronta сравни сравните porównaj",
    "explain": """
        derive justify explain discuss deduce show erkläre begründe zeige explique justifie montre explica
        justifica deduce spiega объясни обоснуй
    """,
    "calculate": """
        calculate compute determine find solve simplify express estimate berechne bestimme löse finde calcule
        résous détermine trouve calcula halla encuentra resuelve calcola trova risolvi вычисли найди найдите
        решите реши определите
    """,
}

NOUN_TOO = frozenset(  # verbs only where a sentence asks: at its start, or after one of `ASKING`
    """
    architect check code contrast correct design estimate express extract find fix format make plan port program
    research resume review schedule show sort survey
    """.split()
)
ASKING = frozenset("please you to and then me now first let us should must could would will carefully kindly".split())

LOOK_UP = frozenset(
    """
    what who whom whose when where which is are was does do name define was wer wann wo welche welcher qui quand
    où quel quelle qué quién cuándo dónde cuál chi quando dove qual que что кто когда где какая какой
    """.split()
)

OBJECTS = {
    "code": """
        code function method script program class module snippet query sql schema regex algorithm python
        javascript typescript java kotlin rust golang bash html css diff commit unit bug endpoint api cli
        component compiler parser skript funktion programm klasse abfrage fonction programme requête función
        consulta funzione функцию программу скрипт код
    """,
    "system": """
        system systems service services platform infrastructure backend pipeline database scheduler queue cluster
        protocol engine marketplace saas crm erp storage datenbank plattform système plateforme sistema
        plataforma piattaforma систему платформу сервис systeem
    """,
    "architecture": "architecture architectures architektur arquitectura architettura arquitetura архитектуру",
    "small": """
        simple small tiny toy todo basic short brief briefly quick beginner hello minimal personal weekend
        sentence paragraph tweet einfach einfache einfaches einfachen kleine kleines kleinen kurz kurze petit
        petite court sencillo sencilla pequeño pequeña corto breve semplice piccolo простой небольшой logo poster
        card
    """,
    "number": """
        two three four five six seven eight nine ten eleven twelve twenty thirty fifty hundred thousand million
        half third quarter twice thrice double triple dozen percent zwei drei vier fünf sechs sieben acht neun
        zehn hälfte doppelt prozent deux trois quatre cinq sept huit neuf dix moitié dos tres cuatro cinco seis
        siete ocho nueve diez mitad doble два три четыре пять шесть семь восемь половина вдвое
    """,
}

UNSPACED = {
    "proof": "证明 證明 証明 증명 أثبت برهن सिद्ध พิสูจน์",
    "math": """
        方程 函数 函數 関数 積分 积分 微分 导数 概率 確率 整数 多项式 三角形 矩阵 行列 素数 质数 방정식 함수 적분
        확률 정수 삼각형 행렬 معادلة دالة تكامل احتمال समीकरण फलन समाकलन प्रायिकता
    """,
    "science": "量子 电子 電子 分子 热力学 熱力学 양자 전자 열역학 الكم الديناميكا क्वांटम",
    "law": "§ 法律 合同 契約 责任 責任 诉讼 訴訟 损害赔偿 損害賠償 계약 소송 손해배상 القانون العقد कानून अनुबंध",
    "medicine": "诊断 診断 治疗 治療 患者 症状 진단 치료 환자 المريض تشخيص निदान रोगी",
    "scale": "分布式 分散システム 高可用 분산",
    "design": "设计 設計 설계 صمم डिज़ाइन",
    "analyse": "分析 评估 評価 분석 حلل विश्लेषण",
    "format": "翻译 翻訳 번역 ترجم अनुवाद 总结 要約 요약",
    "compare": "比较 比較 비교 قارن तुलना",
    "calculate": "求 计算 計算 구하 계산 احسب ज्ञात",
    "system": "系统 システム 시스템 نظام",
}
