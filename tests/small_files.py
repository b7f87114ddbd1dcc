"""A small file in each published layout, as its publisher writes it: name of the file -> text."""
# ruff: noqa: E501  (published headers are longer than a line)

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

REGISTRATIONS = (
    "PUBLICATION,EXTRACT_DATE,PRACTICE_CODE,PRACTICE_NAME,LSOA_CODE,SEX,NUMBER_OF_PATIENTS\n"
    "GP_PRAC_PAT_LIST,01Jul2023,A81001,THE SURGERY,E01000001,{sex},{first}\n"
    "GP_PRAC_PAT_LIST,01Jul2023,A81002,MEDICAL CENTRE,E01000002,{sex},{second}\n"
)
_RELEASE = "PUBLICATION,EXTRACT_DATE,"
_ROW = "GP_PRAC_PAT_LIST,01Jan2022,"
_NEW_ROW = "GP_PRAC_PAT_LIST,01Jul2023,"
PARTNERS = (
    "A81001,THE SURGERY,16C,NHS TEES,U00001,NORTH PCN,16C,NHS TEES,20191001,20220331,True\n"
    "A81001,THE SURGERY,16C,NHS TEES,U00002,SOUTH PCN,16C,NHS TEES,20220401,,True\n"
    "A81002,MEDICAL CENTRE,16C,NHS TEES,U00001,NORTH PCN,16C,NHS TEES,20191001,,True\n"
)
PARTNERS_HEADER = (
    "Partner Organisation Code,Partner Name,Practice Parent Sub ICB Location Code,Practice Parent Sub ICB Location "
    "Name,PCN Code,PCN Name,PCN Parent Sub ICB Location Code,PCN Parent Sub ICB Location Name,Practice to PCN "
    "Relationship Start Date,Practice to PCN Relationship End Date,Practice Sub ICB and PCN Sub ICB Match?\n"
)
BANDS = [*(f"{age}_{age + 4}" for age in range(0, 95, 5)), "95+"]
PAYMENTS = (
    "NHS England (Region) code,CCG Code,Sub ICB NAME,Code,CCG NAME,Practice Code,Practice Name,Contract Type,Practice "
    "Rurality,Number of Registered Patients (Last Known Figure),Number of Weighted Patients (Last Known Figure),"
    "Global Sum,Total NHS Payments to General Practice,Total NHS Payments including PCN Workforce Leadership and "
    "Support,PCN Leadership,PCN Workforce\n"
    "Y63,16C,NHS TEES,U00001,NORTH PCN,A81001,THE SURGERY,GMS,Urban,4029.25,4579.78,1000,2000.5,2600.5,100,500\n"
    "Y63,16C,NHS TEES,U00001,NORTH PCN,A81002,MEDICAL CENTRE,GMS,Rural,100,90,50,-20,-20,0,0\n"
    "Y63,16C,NHS TEES,Unknown or no PCN,Unknown or no PCN,A81003,PRISON,APMS,Urban,10,9,5,70,70,0,0\n"
)
WORKFORCE = (
    "Data_source,CENSUS_YEAR,CENSUS_MONTH,PCN_CODE,PCN_NAME,SUB_ICB_CODE,SUB_ICB_NAME,ICB_CODE,ICB_NAME,"
    "COMM_REGION_CODE,COMM_REGION_NAME,STAFF_GROUP,STAFF_ROLE,DETAILED_STAFF_ROLE,FTE,UNIQUE_IDENTIFIER\n"
    "NWRS Staff,2026,6,U00001,NORTH PCN,16C,T,QHM,N,Y63,N,Other Nurses,Nurse Specialists,Nurse Specialist,0.8,7\n"
    "NWRS Staff,2026,6,U00001,NORTH PCN,16C,T,QHM,N,Y63,N,Other Nurses,Nurse Specialists,Nurse Specialist,0.2,7\n"
    "NWRS Staff,2026,6,U00002,SOUTH PCN,16C,T,QHM,N,Y63,N,Directors,Managers,Manager,1,8\n"
    "NWRS contracted services,2026,6,U00001,NORTH PCN,16C,T,QHM,N,Y63,N,Other Nurses,Nurse Specialists,"
    "Nurse Specialist,2.5,\n"
)


def _bands() -> str:
    rows = [_RELEASE + "ORG_TYPE,ORG_CODE,ONS_CODE,POSTCODE,SEX,AGE_GROUP_5,NUMBER_OF_PATIENTS"]
    for kind, code in (("GP", "A81001"), ("PCN", "U00001"), ("ICB", "QHM")):
        at = f"GP_PRAC_PAT_LIST,2026-07-01,{kind},{code},,,"
        rows.append(f"{at}ALL,ALL,{3 * len(BANDS)}")
        for sex, each in (("FEMALE", 2), ("MALE", 1)):
            rows.append(f"{at}{sex},ALL,{each * len(BANDS)}")
            rows += [f"{at}{sex},{band},{each}" for band in BANDS]
    return "\n".join(rows) + "\n"


_OLD_MAP = "CCG_CODE,CCG_NAME,ONS_STP_CODE,STP_CODE,STP_NAME"
_NEW_MAP = "SUB_ICB_LOCATION_CODE,SUB_ICB_LOCATION_NAME,ONS_ICB_CODE,ICB_CODE,ICB_NAME"
_MAP = _RELEASE + "PRACTICE_CODE,PRACTICE_NAME,PRACTICE_POSTCODE,PCN_CODE,PCN_NAME,"
_MAPPED = "A81001,THE SURGERY,TS18 1HU,U00001,NORTH PCN,16C,Tees,E54000050,QHM,North East"

# Kind of the file -> its name and text.
TEXTS: Mapping[str, tuple[str, str]] = {
    "registrations": ("gp-reg-pat-prac-lsoa-all.csv", REGISTRATIONS.format(sex="ALL", first=9, second=4)),
    "membership": ("gp-reg-pat-prac-map.csv", f"{_MAP}{_OLD_MAP}\n{_ROW}{_MAPPED}\n"),
    "membership since 2022": (
        "gp-reg-pat-prac-map.csv",
        f"{_MAP}{_NEW_MAP},SUPPLIER_NAME\n{_NEW_ROW}{_MAPPED},TPP\n",
    ),
    "pcn_partners": ("epcncorepartnerdetails.csv", PARTNERS),
    "pcn_partners with header": ("ePCN.csv", PARTNERS_HEADER + PARTNERS),
    "lists_by_band": ("gp-reg-pat-prac-quin-age.csv", _bands()),
    "lists": (
        "gp-reg-pat-prac-sing-age.csv",
        "ORG_TYPE,ORG_CODE,SEX,AGE,NUMBER_OF_PATIENTS\nGP,A81001,MALE,5,3\nGP,A81001,FEMALE,95+,2\n"
        "GP,A81001,ALL,ALL,5\n",
    ),
    "conditions": (
        "PREVALENCE_2425.csv",
        "PRACTICE_CODE,GROUP_CODE,REGISTER,PATIENT_LIST_TYPE,PRACTICE_LIST_SIZE\nA81001,DEM,12.0,TOTAL,4045\n",
    ),
    "payments": ("nhspaymentsgp-22-23-prac-csv.csv", PAYMENTS),
    "workforce": ("1.Primary Care Networks - June 2026 Individual Level.csv", WORKFORCE),
    "deprivation": (
        "File_7_IoD2025.csv",
        "LSOA code (2021),Index of Multiple Deprivation (IMD) Score,Index of Multiple Deprivation (IMD) Decile "
        "(where 1 is most deprived 10% of LSOAs),Health Deprivation and Disability Score\nE01033769,42.1,1,1.5\n",
    ),
    "health_domain": (
        "File_5.csv",
        "LSOA code (2021),Health Deprivation and Disability Score\nE01033769,-1.25\n",
    ),
    "population": (
        "mid-2022.csv",
        "LSOA 2021 Code,LSOA 2021 Name,Total,F0,F1,M0,M1\nE01033769,X,10,1,2,3,4\n",
    ),
    "disability": (
        "disability21.csv",
        "lsoa21_code,disability,n\nE01033769,Disabled under the Equality Act,3\n"
        "E01033769,Not disabled under the Equality Act,7\n",
    ),
    "lookup": ("LSOA11_LSOA21.csv", "LSOA11CD,CHGIND,LSOA21CD\nE01000001,U,E01000001\n"),
    "rurality": (
        "LSOA21_RUC21.csv",
        "LSOA21CD,LSOA21NM,RUC21CD,RUC21NM,Urban_rural_flag\n"
        "E01033769,X,UN1,Urban: Nearer to a major town or city,Urban\nE01000001,Y,RSF1,Smaller rural,Rural\n"
        "W01000001,Z,UN1,Urban: Nearer to a major town or city,Urban\n",
    ),
    "area_membership": (
        "LSOA21_SICBL24.csv",
        "LSOA21CD,LSOA21NM,SICBL24CD,SICBL24CDH,SICBL24NM,ICB24CD,ICB24CDH,ICB24NM,LAD24CD,LAD24NM\n"
        "E01033769,X,E38000068,01F,NHS Halton,E54000008,QYG,NHS Cheshire,E06000006,Halton\n",
    ),
    "trust_shares": ("trusts.csv", "msoa_code,trust_code,proportion\nE02000001,R1H,0.6\nE02000001,RAL,0.3\n"),
    "weighted_populations": (
        "2026_2027.csv",
        "Practice_Code,GP_Practice_Name,ICB,ICBname,Registered Patients,G&A WP,CS WP,MH WP,Mat WP,Health Ineq "
        "WP,Prescr WP,Core WP,Primary Medical Care WP,Final PMC WP\n"
        "A81001,The Surgery,QHM,North East,10,11,12,13,14,15,16,17,18,19\n",
    ),
    "current": ("teams.csv", "team,current,basis\nU00001,3,in post\n"),
}


def reader_of(kind: str) -> str:
    """The name of the reader of a kind of file."""
    key = kind.split(" ")[0]
    return "read_" + {"lookup": "area_lookup"}.get(key, key)


def write(folder: Path, kind: str) -> Path:
    """The small file of a kind, written under its published name."""
    name, text = TEXTS[kind]
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def packed(members: Mapping[str, str | bytes]) -> bytes:
    """A zip archive of these members."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return data.getvalue()
